import { createHash } from 'node:crypto';
import { expect, it } from '@jest/globals';
import type { GcsServer } from '../src/index.ts';
import { ask, noise, sdk, startServer, type WireAnswer } from './gcs-client.ts';

const KiB = 1024;
const QUANTUM = 256 * KiB;
const FILM = noise(3 * QUANTUM + 1000);

/** Opens a session by hand and returns its URI. */
async function sessionOf(server: GcsServer, query = '', headers: object = {}, resource: object = {}): Promise<string> {
  const url = `${server.endpoint}/upload/storage/v1/b/films/o?uploadType=resumable&name=a.mp4${query}`;
  const answer = await ask(url, { method: 'POST', headers, body: JSON.stringify(resource) });
  expect(answer.status).toBe(200);
  return String(answer.headers.location);
}

const put = (
  uri: string,
  contentRange: string,
  body: Uint8Array | string = '',
  more: object = {},
): Promise<WireAnswer> => ask(uri, { method: 'PUT', headers: { 'content-range': contentRange, ...more }, body });

/** What the error in a JSON answer is. */
function reasonOf({ body }: WireAnswer): unknown {
  const { error } = JSON.parse(body.toString()) as { error: { errors: { reason: string }[] } };
  return error.errors[0]?.reason;
}

const md5 = (bytes: Uint8Array): string => createHash('md5').update(bytes).digest('base64');

it.each([
  { title: 'in one request', options: { resumable: false }, puts: 0 },
  { title: 'resumable, streamed', options: { resumable: true }, puts: 1 },
  { title: 'resumable, in chunks', options: { resumable: true, chunkSize: QUANTUM }, puts: 4 },
])('takes what the SDK uploads $title', async ({ options, puts }) => {
  const server = await startServer({ anonymous: true });
  const file = sdk(server).bucket('films').file('a.mp4');

  await file.save(FILM, { ...options, metadata: { contentType: 'video/mp4', metadata: { take: '7' } } });

  const [object] = server.objects('films');
  expect(FILM.equals(object?.bytes ?? Buffer.alloc(0))).toBe(true);
  expect(object?.metadata).toEqual({ contentType: 'video/mp4', metadata: { take: '7' } });
  expect(server.requests.filter(({ method }) => method === 'PUT')).toHaveLength(puts);
  expect(server.sessions()).toEqual([]);
});

it('takes an empty object in every way', async () => {
  const server = await startServer({ anonymous: true });
  const bucket = sdk(server).bucket('films');

  await bucket.file('simple').save('', { resumable: false });
  await bucket.file('streamed').save('', { resumable: true });
  const finished = await put(await sessionOf(server), 'bytes */0');

  expect(finished.status).toBe(200);
  expect(server.objects('films').map(({ name, bytes }) => [name, bytes.byteLength])).toEqual([
    ['simple', 0],
    ['streamed', 0],
    ['a.mp4', 0],
  ]);
});

it('keeps what came before a cut, so that the SDK goes on from there', async () => {
  const server = await startServer({ anonymous: true });
  server.fail({ method: 'PUT', contentRange: /^bytes 262144-/ }, [{ resetAfterBytes: 100 }]);
  const file = sdk(server).bucket('films').file('a.mp4');

  await file.save(FILM, { resumable: true, chunkSize: QUANTUM });

  expect(FILM.equals(server.objects('films')[0]?.bytes ?? Buffer.alloc(0))).toBe(true);
  expect(server.pendingFaults()).toBe(0);
  const puts = server.requests.filter(({ method }) => method === 'PUT');
  expect(puts.map(({ headers, status }) => [headers['content-range'], status])).toEqual([
    ['bytes 0-262143/*', 308],
    ['bytes 262144-524287/*', 0],
    ['bytes */*', 308],
    ['bytes 262144-524287/*', 308],
    ['bytes 524288-786431/*', 308],
    ['bytes 786432-787431/787432', 200],
  ]);
});

it('keeps whole quanta of a request that breaks off', async () => {
  const server = await startServer({ anonymous: true });
  server.fail('PUT', [{ resetAfterBytes: 2 * QUANTUM + 77 }]);
  const uri = await sessionOf(server);

  const broken = await put(uri, `bytes 0-${FILM.byteLength - 1}/${FILM.byteLength}`, FILM);
  const status = await put(uri, `bytes */${FILM.byteLength}`);
  const rest = await put(uri, `bytes ${2 * QUANTUM}-*/${FILM.byteLength}`, FILM.subarray(2 * QUANTUM));

  expect(broken.error).toMatch(/ECONNRESET|EPIPE/);
  expect([status.status, status.headers.range]).toEqual([308, `bytes=0-${2 * QUANTUM - 1}`]);
  expect(rest.status).toBe(200);
  expect(FILM.equals(server.objects('films')[0]?.bytes ?? Buffer.alloc(0))).toBe(true);
});

it('takes the end of a connection for no end of an object whose size nobody told', async () => {
  const server = await startServer({ anonymous: true });
  server.fail('PUT', [{ resetAfterBytes: 2 * QUANTUM + 77 }]);
  const uri = await sessionOf(server);

  await put(uri, 'bytes 0-*/*', FILM);
  const status = await put(uri, 'bytes */*');

  expect([status.status, status.headers.range]).toEqual([308, `bytes=0-${2 * QUANTUM - 1}`]);
  expect(server.objects('films')).toEqual([]);
});

it('answers a status query before, during and after', async () => {
  const server = await startServer({ anonymous: true });
  const uri = await sessionOf(server);

  const before = await put(uri, 'bytes */*');
  const chunk = await put(uri, `bytes 0-${QUANTUM - 1}/*`, FILM.subarray(0, QUANTUM));
  const during = await put(uri, `bytes */${FILM.byteLength}`);
  await put(uri, `bytes ${QUANTUM}-*/*`, FILM.subarray(QUANTUM));
  const after = await put(uri, 'bytes */*');

  expect([before.status, before.headers.range]).toEqual([308, undefined]);
  expect([chunk.status, chunk.headers.range]).toEqual([308, `bytes=0-${QUANTUM - 1}`]);
  expect([during.status, during.headers.range]).toEqual([308, `bytes=0-${QUANTUM - 1}`]);
  expect(after.status).toBe(200);
  expect(JSON.parse(after.body.toString())).toMatchObject({ name: 'a.mp4', size: String(FILM.byteLength) });
});

it('does not look again at bytes that it has, and refuses a gap', async () => {
  const server = await startServer({ anonymous: true });
  const uri = await sessionOf(server);
  const other = Buffer.alloc(2 * QUANTUM, 'other');

  await put(uri, `bytes 0-${QUANTUM - 1}/*`, FILM.subarray(0, QUANTUM));
  const gap = await put(uri, `bytes ${2 * QUANTUM}-${3 * QUANTUM - 1}/*`, other.subarray(QUANTUM));
  const again = await put(uri, `bytes 0-${QUANTUM - 1}/*`, other.subarray(QUANTUM));
  const overlap = await put(uri, `bytes 0-${2 * QUANTUM - 1}/${2 * QUANTUM}`, other);

  expect(gap.status).toBe(503);
  expect(gap.headers['content-type']).toMatch('text/plain');
  expect(gap.body.toString()).toBe(
    'Invalid request.  According to the Content-Range header, the upload offset is 524288 byte(s), ' +
      'which exceeds already uploaded size of 262144 byte(s).',
  );
  expect([again.status, again.headers.range]).toEqual([308, `bytes=0-${QUANTUM - 1}`]);
  expect(overlap.status).toBe(200);
  const expected = Buffer.concat([FILM.subarray(0, QUANTUM), other.subarray(QUANTUM)]);
  expect(expected.equals(server.objects('films')[0]?.bytes ?? Buffer.alloc(0))).toBe(true);
});

it('refuses a small chunk in the middle, and keeps only whole quanta of a crooked one', async () => {
  const server = await startServer({ anonymous: true });
  const uri = await sessionOf(server);

  const small = await put(uri, 'bytes 0-999/*', FILM.subarray(0, 1000));
  const crooked = await put(uri, `bytes 0-${QUANTUM + 99}/*`, FILM.subarray(0, QUANTUM + 100));

  expect(small.status).toBe(400);
  expect(small.body.toString()).toMatch('required to be equal or greater than 262144');
  expect([crooked.status, crooked.headers.range]).toEqual([308, `bytes=0-${QUANTUM - 1}`]);
});

it.each([
  ['a body that is shorter than its range', 'bytes 0-10/11', 'ten bytes.', {}],
  ['a body that is longer than its range', 'bytes 0-8/9', 'ten bytes.', {}],
  ['a range that ends behind the object', 'bytes 0-9/5', 'ten bytes.', {}],
  ['a range that is none', 'bytes 9', 'ten bytes.', {}],
  ['less than was announced at the start', 'bytes 0-9/10', 'ten bytes.', { 'x-upload-content-length': '11' }],
  ['more than was announced at the start', 'bytes 0-9/10', 'ten bytes.', { 'x-upload-content-length': '9' }],
])('refuses %s', async (_title, contentRange, body, headers) => {
  const server = await startServer({ anonymous: true });
  const uri = await sessionOf(server, '', headers);

  const answer = await put(uri, contentRange, body);

  expect([answer.status, reasonOf(answer)]).toEqual([400, 'invalid']);
  expect(server.objects('films')).toEqual([]);
});

it('takes type and name from the start of the session', async () => {
  const server = await startServer({ anonymous: true });
  const uri = await sessionOf(
    server,
    '',
    { 'x-upload-content-type': 'video/webm', 'x-upload-content-length': '10' },
    { cacheControl: 'private', metadata: { take: '7' } },
  );

  await ask(uri, { method: 'PUT', body: 'ten bytes.' });

  expect(server.objects('films')[0]).toMatchObject({
    name: 'a.mp4',
    metadata: { contentType: 'video/webm', cacheControl: 'private', metadata: { take: '7' } },
  });
});

it('shows its open sessions, cancels one, and knows the others still', async () => {
  const server = await startServer({ anonymous: true });
  const [one, two] = [await sessionOf(server), await sessionOf(server)];
  await put(one, `bytes 0-${QUANTUM - 1}/*`, FILM.subarray(0, QUANTUM));
  expect(server.sessions()).toMatchObject([
    { bucket: 'films', name: 'a.mp4', persistedBytes: QUANTUM },
    { bucket: 'films', name: 'a.mp4', persistedBytes: 0 },
  ]);

  const cancelled = await ask(one, { method: 'DELETE' });
  const query = await put(one, 'bytes */*');
  const unknown = await put(`${two}x`, 'bytes */*');
  const finished = await put(two, 'bytes 0-9/10', 'ten bytes.');

  expect([cancelled.status, query.status, unknown.status, finished.status]).toEqual([499, 410, 404, 200]);
  expect(server.sessions()).toEqual([]);
  expect(server.objects('films')).toHaveLength(1);
});

it('forgets a session after a week', async () => {
  let now = new Date('2026-11-22T12:00:00Z');
  const server = await startServer({ anonymous: true, now: () => now });
  const uri = await sessionOf(server);

  now = new Date('2026-11-29T11:59:59Z');
  const before = await put(uri, 'bytes */*');
  now = new Date('2026-11-29T12:00:00Z');
  const after = await put(uri, 'bytes */*');

  expect([before.status, after.status]).toEqual([308, 410]);
});

it('checks the generation when a session starts and again when it ends', async () => {
  const server = await startServer({ anonymous: true });
  const uri = await sessionOf(server, '&ifGenerationMatch=0');
  server.put('films', 'a.mp4', Buffer.from('somebody was faster'));

  const late = await put(uri, 'bytes 0-9/10', 'ten bytes.');
  const start = await ask(
    `${server.endpoint}/upload/storage/v1/b/films/o?uploadType=resumable&name=a.mp4&ifGenerationMatch=0`,
    {
      method: 'POST',
    },
  );

  expect([late.status, reasonOf(late)]).toEqual([412, 'conditionNotMet']);
  expect([start.status, reasonOf(start)]).toEqual([412, 'conditionNotMet']);
  expect(server.objects('films').map(({ bytes }) => Buffer.from(bytes).toString())).toEqual(['somebody was faster']);
  expect(server.sessions()).toEqual([]);
});

it.each([
  ['a CRC32C', { crc32c: 'AAAAAA==' }, 'Provided CRC32C "AAAAAA==" doesn\'t match calculated CRC32C "Xn2bUg==".'],
  [
    'an MD5',
    { md5Hash: md5(Buffer.from('other')) },
    `Provided MD5 hash "${md5(Buffer.from('other'))}" doesn't match calculated MD5 hash "${md5(Buffer.from('ten bytes.'))}".`,
  ],
])('refuses %s that is wrong and stores nothing, however it came', async (_title, claim, message) => {
  const server = await startServer({ anonymous: true });
  const file = sdk(server).bucket('films').file('a.mp4');
  const header = Object.entries(claim)
    .map(([name, value]) => `${name === 'crc32c' ? name : 'md5'}=${value}`)
    .join();

  const refused = { code: 400, errors: [{ reason: 'invalid', message }] };
  await expect(file.save('ten bytes.', { resumable: false, metadata: { ...claim } })).rejects.toMatchObject(refused);
  const atStart = await put(await sessionOf(server, '', {}, claim), 'bytes 0-9/10', 'ten bytes.');
  const atEnd = await put(await sessionOf(server), 'bytes 0-9/10', 'ten bytes.', { 'x-goog-hash': header });
  const media = await ask(`${server.endpoint}/upload/storage/v1/b/films/o?uploadType=media&name=a.mp4`, {
    method: 'POST',
    headers: { 'x-goog-hash': header },
    body: 'ten bytes.',
  });

  for (const answer of [atStart, atEnd, media]) {
    expect(answer.status).toBe(400);
    expect(JSON.parse(answer.body.toString())).toMatchObject({ error: { code: 400, message } });
  }
  expect(server.objects('films')).toEqual([]);
  expect(server.sessions()).toEqual([]);
});

it('takes checksums that are right', async () => {
  const server = await startServer({ anonymous: true });
  const claim = { crc32c: 'Xn2bUg==', md5Hash: md5(Buffer.from('ten bytes.')) };
  const header = { 'x-goog-hash': `crc32c=${claim.crc32c},md5=${claim.md5Hash}` };

  await sdk(server)
    .bucket('films')
    .file('b.mp4')
    .save('ten bytes.', { resumable: false, metadata: { ...claim } });
  const session = await put(await sessionOf(server), 'bytes 0-9/10', 'ten bytes.', header);

  expect(session.status).toBe(200);
  expect(server.objects('films')).toMatchObject([claim, claim]);
});

it.each([
  ['without a boundary', 'multipart/related', '--x\r\n\r\n{}\r\n--x\r\n\r\nbytes\r\n--x--'],
  ['that ends too early', 'multipart/related; boundary=x', '--x\r\n\r\n{}\r\n--x\r\n\r\nbyt'],
  ['with one part', 'multipart/related; boundary=x', '--x\r\n\r\n{}\r\n--x--'],
  [
    'with three parts',
    'multipart/related; boundary=x',
    '--x\r\n\r\n{}\r\n--x\r\n\r\nbytes\r\n--x\r\n\r\nmore\r\n--x--',
  ],
  ['with a resource that is no JSON', 'multipart/related; boundary=x', '--x\r\n\r\n{\r\n--x\r\n\r\nbytes\r\n--x--'],
])('refuses a multipart upload %s', async (_title, contentType, body) => {
  const server = await startServer({ anonymous: true });

  const answer = await ask(`${server.endpoint}/upload/storage/v1/b/films/o?uploadType=multipart&name=a.mp4`, {
    method: 'POST',
    headers: { 'content-type': contentType },
    body,
  });

  expect(answer.status).toBe(400);
  expect(server.objects('films')).toEqual([]);
});

it('keeps line breaks and dashes of a multipart upload as they are', async () => {
  const server = await startServer({ anonymous: true });
  const body = '\r\n--x\r\n\r\n--xy\r\n';

  const answer = await ask(`${server.endpoint}/upload/storage/v1/b/films/o?uploadType=multipart`, {
    method: 'POST',
    headers: { 'content-type': 'multipart/related; boundary="xyz"' },
    body: `--xyz\r\nContent-Type: application/json\r\n\r\n{"name":"a.mp4"}\r\n--xyz\r\nContent-Type: video/mp4\r\n\r\n${body}\r\n--xyz--`,
  });

  expect(answer.status).toBe(200);
  const [object] = server.objects('films');
  expect([object?.name, object?.metadata.contentType]).toEqual(['a.mp4', 'video/mp4']);
  expect(Buffer.from(object?.bytes ?? []).toString()).toBe(body);
});

it.each([
  { title: 'that means a folder', name: '..' },
  { title: 'with a line break', name: 'a\nb' },
  { title: 'of 1,025 bytes', name: 'x'.repeat(1025) },
])('refuses a name $title', async ({ name }) => {
  const server = await startServer({ anonymous: true });

  await expect(sdk(server).bucket('films').file(name).save('x', { resumable: false })).rejects.toMatchObject({
    code: 400,
  });
});
