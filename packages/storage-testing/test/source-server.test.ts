import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtemp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, expect, it } from '@jest/globals';
import { generateVideo, type SourceServer, type SourceServerOptions, startSourceServer } from '../src/index.ts';

const FILM = Buffer.from('\0\0\0\x18ftypisom and so on, up to the end');
const ETAG = `"${createHash('md5').update(FILM).digest('hex')}"`;
const open: SourceServer[] = [];
const folders: string[] = [];

afterEach(async () => {
  await Promise.all(open.splice(0).map((server) => server.close()));
  await Promise.all(folders.splice(0).map((folder) => rm(folder, { recursive: true })));
});

async function start(options: SourceServerOptions = { files: { '/film.mp4': FILM } }): Promise<SourceServer> {
  const server = await startSourceServer(options);
  open.push(server);
  return server;
}

async function folderWith(files: Record<string, string>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'source-'));
  folders.push(folder);
  for (const [name, content] of Object.entries(files)) {
    await mkdir(join(folder, name, '..'), { recursive: true });
    await writeFile(join(folder, name), content);
  }
  return folder;
}

interface Answer {
  status: number;
  headers: NodeJS.Dict<string | string[]>;
  body: Buffer;
  /** How it ended, when not well. */
  error?: string;
}

/** A client that repeats nothing and reports what it got, also of a broken answer. */
function ask(
  url: string,
  options: { method?: string; path?: string; headers?: Record<string, string>; ca?: string; timeout?: number } = {},
): Promise<Answer> {
  return new Promise((resolve) => {
    const answer: Answer = { status: 0, headers: {}, body: Buffer.alloc(0) };
    const finish = (error?: NodeJS.ErrnoException): void =>
      resolve(error ? { ...answer, error: error.code ?? error.message } : answer);
    const send = url.startsWith('https:') ? httpsRequest : httpRequest;
    const request = send(url, { agent: false, ...options }, (response) => {
      answer.status = response.statusCode ?? 0;
      answer.headers = response.headers;
      response.on('data', (chunk: Buffer) => (answer.body = Buffer.concat([answer.body, chunk])));
      response.on('end', () => finish());
      response.on('error', finish);
    });
    request.on('timeout', () => request.destroy(new Error('silence')));
    request.on('error', finish);
    request.end();
  });
}

it('serves a file as the generator does', async () => {
  const server = await start();

  const { status, headers, body } = await ask(server.url('/film.mp4'));

  expect(status).toBe(200);
  expect(body).toEqual(FILM);
  expect(headers).toMatchObject({
    'content-type': 'video/mp4',
    'content-length': String(FILM.byteLength),
    'accept-ranges': 'bytes',
    'access-control-allow-origin': '*',
    etag: ETAG,
    'last-modified': expect.stringMatching(/GMT$/),
    'x-goog-hash': `md5=${createHash('md5').update(FILM).digest('base64')}, crc32c=N/gNyA==`,
  });
});

it('answers HEAD without a body', async () => {
  const server = await start();

  const { status, headers, body } = await ask(server.url('/film.mp4'), { method: 'HEAD' });

  expect([status, headers['content-length'], body.byteLength]).toEqual([200, String(FILM.byteLength), 0]);
});

it.each([
  ['bytes=0-0', 206, FILM.subarray(0, 1), `bytes 0-0/${FILM.byteLength}`],
  ['bytes=10-', 206, FILM.subarray(10), `bytes 10-${FILM.byteLength - 1}/${FILM.byteLength}`],
  ['bytes=-4', 206, FILM.subarray(-4), `bytes ${FILM.byteLength - 4}-${FILM.byteLength - 1}/${FILM.byteLength}`],
  [`bytes=${FILM.byteLength}-`, 416, Buffer.alloc(0), `bytes */${FILM.byteLength}`],
])('answers the range %s with %d', async (range, status, body, contentRange) => {
  const server = await start();

  const answer = await ask(server.url('/film.mp4'), { headers: { range } });

  expect(answer.status).toBe(status);
  expect(answer.body).toEqual(body);
  expect(answer.headers['content-range']).toBe(contentRange);
});

it('serves the range only while If-Range names the file as it is', async () => {
  const server = await start();
  const headers = { range: 'bytes=5-9', 'if-range': ETAG };

  const before = await ask(server.url('/film.mp4'), { headers });
  server.replace('/film.mp4', Buffer.from('another film altogether'));
  const after = await ask(server.url('/film.mp4'), { headers });

  expect([before.status, before.body.byteLength]).toEqual([206, 5]);
  expect([after.status, after.body.toString()]).toEqual([200, 'another film altogether']);
  expect(after.headers.etag).not.toBe(ETAG);
});

it('keeps a record of what was asked', async () => {
  const server = await start({ files: { '/scene 1.mp4': FILM } });

  await ask(server.url('/scene 1.mp4'), { headers: { range: 'bytes=1-2', 'if-range': ETAG } });
  await ask(`${server.origin}/nothing.mp4?token=secret`, { method: 'HEAD' });

  expect(server.requests).toEqual([
    { method: 'GET', path: '/scene 1.mp4', range: 'bytes=1-2', ifRange: ETAG, status: 206 },
    { method: 'HEAD', path: '/nothing.mp4', status: 404 },
  ]);
});

it('deletes a file as the generator does', async () => {
  const server = await start();
  server.expire('/film.mp4');

  const { status, headers, body } = await ask(server.url('/film.mp4'));

  expect([status, headers['content-type'], body.toString()]).toEqual([
    404,
    'application/json',
    '{"detail":"requested file not found"}',
  ]);
});

it('deletes every file at its hour', async () => {
  const server = await start({ files: { '/film.mp4': FILM }, expiresAt: new Date(Date.now() + 100) });

  const before = await ask(server.url('/film.mp4'));
  await new Promise((later) => setTimeout(later, 120));
  const after = await ask(server.url('/film.mp4'));

  expect([before.status, after.status]).toEqual([200, 404]);
});

it('fails as told, in order, and counts what has not happened yet', async () => {
  const server = await start();
  server.fail('/film.mp4', [503, 'reset', { status: 429, headers: { 'retry-after': '7' }, body: 'slow down' }]);

  const unavailable = await ask(server.url('/film.mp4'));
  const reset = await ask(server.url('/film.mp4'));
  expect(server.pendingFaults()).toBe(1);
  const limited = await ask(server.url('/film.mp4'));
  const well = await ask(server.url('/film.mp4'));

  expect(unavailable.status).toBe(503);
  expect(reset.error).toBe('ECONNRESET');
  expect([limited.status, limited.headers['retry-after'], limited.body.toString()]).toEqual([429, '7', 'slow down']);
  expect(well.body).toEqual(FILM);
  expect(server.pendingFaults()).toBe(0);
  expect(server.requests.map(({ status }) => status)).toEqual([503, 0, 429, 200]);
});

it('cuts a body at its half, or falls silent there', async () => {
  const server = await start({ files: { '/film.mp4': { size: 200_000, seed: 1 } } });
  server.fail('/film.mp4', ['cut', 'stall']);

  const cut = await ask(server.url('/film.mp4'));
  const stalled = await ask(server.url('/film.mp4'), { timeout: 200 });

  expect([cut.status, cut.headers['content-length'], cut.body.byteLength]).toEqual([200, '200000', 100_000]);
  expect(cut.error).toBeDefined();
  expect([stalled.status, stalled.body.byteLength, stalled.error]).toEqual([200, 100_000, 'silence']);
});

it('serves one wrong byte under right checksums', async () => {
  const server = await start();
  server.fail('/film.mp4', ['corrupt']);

  const { headers, body } = await ask(server.url('/film.mp4'));

  expect(headers.etag).toBe(ETAG);
  expect(body).toHaveLength(FILM.byteLength);
  expect(body.filter((byte, at) => byte !== FILM[at])).toHaveLength(1);
});

it('ignores a range, and hides a length', async () => {
  const server = await start();
  server.fail('/film.mp4', ['ignore-range', 'no-length']);

  const whole = await ask(server.url('/film.mp4'), { headers: { range: 'bytes=5-' } });
  const chunked = await ask(server.url('/film.mp4'));

  expect([whole.status, whole.body.byteLength]).toEqual([200, FILM.byteLength]);
  expect(chunked.headers).toMatchObject({ 'transfer-encoding': 'chunked' });
  expect(chunked.headers['content-length'] ?? chunked.headers['x-goog-hash'] ?? chunked.headers.etag).toBeUndefined();
  expect(chunked.body).toEqual(FILM);
});

it('serves generated videos that are the same each time, in any part', async () => {
  const video = { size: 300_001, seed: 42 };
  const server = await start({ files: { '/big.mp4': video } });

  const whole = await ask(server.url('/big.mp4'));
  const part = await ask(server.url('/big.mp4'), { headers: { range: 'bytes=65530-131100' } });
  const head = await ask(server.url('/big.mp4'), { headers: { range: 'bytes=4-11' } });

  expect(whole.body.equals(Buffer.concat([...generateVideo(video)]))).toBe(true);
  expect(part.body.equals(whole.body.subarray(65_530, 131_101))).toBe(true);
  expect(head.body.toString()).toBe('ftypisom');
  expect(whole.body.subarray(0, 4)).toEqual(Buffer.from([0, 0, 0, 0x18]));
  expect(whole.headers.etag).toMatch(/^"[0-9a-f]{32}"$/);
});

it('generates gigabytes without holding them', async () => {
  const size = 3 * 1024 ** 3;
  const server = await start({ files: { '/huge.mp4': { size, seed: 1 } } });

  const { headers, body } = await ask(server.url('/huge.mp4'), { headers: { range: `bytes=${size - 5}-` } });

  expect(headers['content-range']).toBe(`bytes ${size - 5}-${size - 1}/${size}`);
  expect(body).toEqual(Buffer.concat([...generateVideo({ size, seed: 1 }, size - 5)]));
});

it('streams a file from disk', async () => {
  const folder = await folderWith({ 'film.webm': 'from the disk' });
  const server = await start({
    files: { '/a.webm': join(folder, 'film.webm'), '/missing.mp4': join(folder, 'no.mp4') },
  });

  const { status, headers, body } = await ask(server.url('/a.webm'), { headers: { range: 'bytes=5-7' } });

  expect([status, headers['content-type'], body.toString()]).toEqual([206, 'video/webm', 'the']);
  expect(headers.etag).toMatch(/^"[0-9a-f]{32}"$/);
  expect((await ask(server.url('/missing.mp4'))).status).toBe(404);
});

it('serves a folder, and nothing outside of it', async () => {
  const folder = await folderWith({ 'served/films/a b.mp4': 'inside', 'secret.txt': 'outside' });
  const server = await start({ folder: join(folder, 'served') });

  expect((await ask(server.url('/films/a b.mp4'))).body.toString()).toBe('inside');
  for (const path of ['/../secret.txt', '/%2e%2e/secret.txt', '/..%2fsecret.txt', '/films', '/', '/%', '/%00']) {
    // a path as it is: URL parsers resolve dots before they are sent
    const { status } = await ask(server.origin, { path });
    expect([path, status]).toEqual([path, 404]);
  }
});

it('refuses to be written to', async () => {
  const server = await start();
  expect((await ask(server.url('/film.mp4'), { method: 'PUT' })).status).toBe(405);
});

it('serves https', async () => {
  const folder = await folderWith({});
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
  await promisify(execFile)('openssl', [
    ...'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost'.split(' '),
    ...['-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', key, '-out', cert],
  ]);
  const tls = { key: await readFile(key, 'utf8'), cert: await readFile(cert, 'utf8') };
  const server = await start({ files: { '/film.mp4': FILM }, tls });

  const { status, body } = await ask(server.url('/film.mp4'), { ca: tls.cert });

  expect(server.origin).toMatch(/^https:/);
  expect([status, body]).toEqual([200, FILM]);
});
