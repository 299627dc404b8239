import { createHash } from 'node:crypto';
import { type RequestListener } from 'node:http';
import { type Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from '@jest/globals';
import { type FetchPolicy, type OpenFileOptions, type RemoteFile, SafeFetch } from '../src/index.ts';
import { allClosed, Cleanup, type Origin, startOrigin } from './origin.ts';

const cleanup = new Cleanup();
afterEach(() => cleanup.run());

const FILE = Buffer.from('0123456789abcdefghij');
const MD5 = createHash('md5').update(FILE).digest();

const start = async (handler: RequestListener): Promise<Origin> => cleanup.add(await startOrigin(handler));
async function open(origin: Origin, options?: OpenFileOptions, policy?: Partial<FetchPolicy>): Promise<RemoteFile> {
  const fetch = cleanup.add(new SafeFetch({ allowedHosts: [], allowedPrivateAddresses: ['127.0.0.1'], ...policy }));
  return fetch.open(origin.url('/a.mp4?token=SECRET'), options);
}
const text = async (body: Readable): Promise<string> => String(Buffer.concat((await body.toArray()) as Buffer[]));

/** Serves FILE as a file host does: Range, If-Range, a strong ETag. */
const fileHost =
  (etag = '"v1"'): RequestListener =>
  ({ headers }, response) => {
    response.setHeader('etag', etag).setHeader('accept-ranges', 'bytes');
    const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(headers.range ?? '') ?? [];
    if (from === undefined || (headers['if-range'] ?? etag) !== etag) return response.end(FILE);
    const last = Math.min(to ? Number(to) : Infinity, FILE.length - 1);
    if (Number(from) > last) return response.writeHead(416, { 'content-range': `bytes */${FILE.length}` }).end();
    const part = FILE.subarray(Number(from), last + 1);
    return response.writeHead(206, { 'content-range': `bytes ${from}-${last}/${FILE.length}` }).end(part);
  };
/** Answers always the same. */
const always =
  (status: number, headers: Record<string, string | string[]>, body: string | Buffer = ''): RequestListener =>
  (_, response) =>
    response.writeHead(status, headers).end(body);

describe('a whole file', () => {
  it('is described by its headers', async () => {
    const origin = await start(
      always(
        200,
        {
          'content-type': 'video/mp4',
          'content-length': String(FILE.length),
          etag: '"v1"',
          'last-modified': 'Thu, 22 Aug 2024 13:17:10 GMT',
          'accept-ranges': 'bytes',
          'x-goog-hash': ['crc32c=t4Rqeg==', 'md5=uoRaIQncxJfNGsuRar6odw=='],
          'x-goog-stored-content-encoding': 'identity',
        },
        FILE,
      ),
    );

    const { body, ...file } = await open(origin);

    expect(file).toEqual({
      url: origin.url('/a.mp4?token=SECRET'),
      size: FILE.length,
      contentType: 'video/mp4',
      etag: '"v1"',
      lastModified: new Date('2024-08-22T13:17:10Z'),
      checksums: { crc32c: 'b7846a7a', md5: 'ba845a2109dcc497cd1acb916abea877' },
      supportsRange: true,
    });
    expect(await text(body)).toBe(String(FILE));
    expect(origin.requests[0]?.headers).toMatchObject({ 'accept-encoding': 'identity' });
    expect(origin.requests[0]?.headers).not.toHaveProperty('range');
  });

  it('may say little about itself', async () => {
    const origin = await start((_, response) => {
      response.removeHeader('date');
      response.write(FILE.subarray(0, 5));
      response.end(FILE.subarray(5));
    });

    const { body, ...file } = await open(origin);

    expect(file).toEqual({ url: origin.url('/a.mp4?token=SECRET'), checksums: {}, supportsRange: false });
    expect(await text(body)).toBe(String(FILE));
  });

  it.each(['HTTP/1.0 200 OK\r\n\r\n', 'HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n'])(
    'without a length and without chunks is not delivered as complete: %j',
    async (head) => {
      const origin = await start((_, response) => response.socket?.end(head + String(FILE)));

      const { body, size } = await open(origin);

      expect(size).toBeUndefined();
      await expect(text(body)).rejects.toMatchObject({
        code: 'SOURCE_TRUNCATED',
        message: expect.stringMatching(/after 20 bytes.*no length/),
      });
    },
  );

  it('without a length fails only once a slow reader has every byte', async () => {
    const whole = Buffer.alloc(60_000, 'film');
    const origin = await start((_, response) => {
      response.socket?.write('HTTP/1.0 200 OK\r\n\r\n');
      response.socket?.end(whole);
    });
    const { body } = await open(origin);
    // the connection ends meanwhile
    await sleep(50);

    const taken: Buffer[] = [];
    let failure: unknown;
    try {
      for await (const chunk of body) taken.push(chunk as Buffer);
    } catch (error) {
      failure = error;
    }

    expect(Buffer.concat(taken).equals(whole)).toBe(true);
    expect(failure).toMatchObject({ code: 'SOURCE_TRUNCATED' });
  });

  it('of another version than the one wanted is SOURCE_CHANGED', async () => {
    const origin = await start(fileHost('"v2"'));

    await expect(open(origin, { ifRange: '"v1"' })).rejects.toMatchObject({ code: 'SOURCE_CHANGED' });
  });

  it('of a version that is not named is SOURCE_CHANGED too', async () => {
    const origin = await start(always(200, {}, FILE));

    await expect(open(origin, { ifRange: '"v1"' })).rejects.toMatchObject({ code: 'SOURCE_CHANGED' });
  });

  it('of the version wanted is served', async () => {
    const origin = await start(fileHost());

    expect(await text((await open(origin, { ifRange: '"v1"' })).body)).toBe(String(FILE));
  });

  it.each(['gzip', 'br', 'aws-chunked'])('that is sent as %s is UNSUPPORTED', async (encoding) => {
    const origin = await start(always(200, { 'content-encoding': encoding }, FILE));

    await expect(open(origin)).rejects.toMatchObject({ code: 'UNSUPPORTED' });
  });

  it('in a coding below chunked is UNSUPPORTED', async () => {
    const head = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n';
    const origin = await start((_, response) => response.socket?.end(`${head}1\r\nx\r\n0\r\n\r\n`));

    await expect(open(origin)).rejects.toMatchObject({ code: 'UNSUPPORTED' });
  });

  it('larger than allowed is TOO_LARGE', async () => {
    const origin = await start(always(200, { 'content-length': '20' }, FILE));

    await expect(open(origin, {}, { maxBytes: 19 })).rejects.toMatchObject({ code: 'TOO_LARGE' });
  });
});

describe('a part of a file', () => {
  it.each([
    { options: { start: 5 }, range: 'bytes=5-', served: { start: 5, end: 19 } },
    { options: { start: 5, end: 9 }, range: 'bytes=5-9', served: { start: 5, end: 9 } },
    { options: { start: 5, end: 99 }, range: 'bytes=5-99', served: { start: 5, end: 19 } },
    { options: { end: 0 }, range: 'bytes=0-0', served: { start: 0, end: 0 } },
    { options: { start: 19, expectedSize: 20 }, range: 'bytes=19-', served: { start: 19, end: 19 } },
  ])('$options is asked for as "$range" and served', async ({ options, range, served }) => {
    const origin = await start(fileHost());

    const { body, ...file } = await open(origin, { ...options, ifRange: '"v1"' });

    expect(file).toMatchObject({ size: 20, range: served, etag: '"v1"', supportsRange: true });
    expect(await text(body)).toBe(String(FILE.subarray(served.start, served.end + 1)));
    expect(origin.requests[0]?.headers).toMatchObject({ range, 'if-range': '"v1"' });
  });

  it('is asked for without If-Range when no version is wanted', async () => {
    const origin = await start(fileHost());

    await open(origin, { start: 5, headers: { Range: 'bytes=0-1' } });

    expect(origin.requests[0]?.headers).toMatchObject({ range: 'bytes=5-' });
    expect(origin.requests[0]?.headers).not.toHaveProperty('if-range');
  });

  it('is found behind a redirect', async () => {
    const target = await start(fileHost());
    const origin = await start(always(302, { location: target.url() }));

    expect(await text((await open(origin, { start: 15, ifRange: '"v1"' })).body)).toBe('fghij');
  });

  it.each([
    {
      title: 'the file has another ETag now',
      handler: fileHost('"v2"'),
      options: { ifRange: '"v1"' },
      code: 'SOURCE_CHANGED',
    },
    {
      title: 'the part is of another version',
      handler: always(206, { 'content-range': 'bytes 5-19/20', etag: '"v2"' }, FILE.subarray(5)),
      options: { ifRange: '"v1"' },
      code: 'SOURCE_CHANGED',
    },
    {
      title: 'the file has another size now',
      handler: fileHost(),
      options: { expectedSize: 21 },
      code: 'SOURCE_CHANGED',
    },
    {
      title: 'the server serves the whole file of this version',
      handler: always(200, { etag: '"v1"' }, FILE),
      options: { ifRange: '"v1"' },
      code: 'RANGE_IGNORED',
    },
    {
      title: 'the server knows neither ranges nor versions',
      handler: always(200, {}, FILE),
      options: { ifRange: '"v1"' },
      code: 'RANGE_IGNORED',
    },
    { title: 'the server knows no ranges', handler: always(200, {}, FILE), options: {}, code: 'RANGE_IGNORED' },
    {
      title: 'the part starts too early',
      handler: always(206, { 'content-range': 'bytes 4-19/20' }, FILE.subarray(4)),
      options: {},
      code: 'RANGE_IGNORED',
    },
    {
      title: 'the part starts too late',
      handler: always(206, { 'content-range': 'bytes 6-19/20' }, FILE.subarray(6)),
      options: {},
      code: 'RANGE_IGNORED',
    },
    {
      title: 'the part ends too early',
      handler: always(206, { 'content-range': 'bytes 5-18/20' }, FILE.subarray(5, 19)),
      options: {},
      code: 'RANGE_IGNORED',
    },
    {
      title: 'the part ends behind what was asked for',
      handler: always(206, { 'content-range': 'bytes 5-19/20' }, FILE.subarray(5)),
      options: { end: 9 },
      code: 'RANGE_IGNORED',
    },
    {
      title: 'the part is empty',
      handler: always(206, { 'content-range': 'bytes 5-4/5' }),
      options: {},
      code: 'RANGE_IGNORED',
    },
    {
      title: 'the part has no Content-Range',
      handler: always(206, { 'content-type': 'multipart/byteranges; boundary=x' }, FILE),
      options: {},
      code: 'RANGE_IGNORED',
    },
    {
      title: 'the Content-Range cannot be read',
      handler: always(206, { 'content-range': 'lines 5-19/20' }, FILE),
      options: {},
      code: 'RANGE_IGNORED',
    },
    {
      title: 'Content-Range and Content-Length contradict each other',
      handler: always(206, { 'content-range': 'bytes 5-19/20', 'content-length': '14' }, FILE.subarray(5, 19)),
      options: {},
      code: 'RANGE_IGNORED',
    },
    {
      title: 'the range lies behind the end',
      handler: fileHost(),
      options: { start: 20 },
      code: 'RANGE_NOT_SATISFIABLE',
    },
  ])('is $code when $title', async ({ handler, options, code }) => {
    const origin = await start(handler);

    const refused = open(origin, { start: 5, ...options });

    await expect(refused).rejects.toMatchObject({
      name: 'FetchError',
      code,
      message: expect.not.stringContaining('SECRET'),
    });
    expect(origin.requests).toHaveLength(1);
  });

  it.each([
    {
      title: 'starts at the known end',
      options: { start: 20, expectedSize: 20 },
      error: { code: 'RANGE_NOT_SATISFIABLE' },
    },
    { title: 'ends before it starts', options: { start: 5, end: 4 }, error: { code: 'RANGE_NOT_SATISFIABLE' } },
    { title: 'rests on a weak ETag', options: { start: 5, ifRange: 'W/"v1"' }, error: { code: 'UNSUPPORTED' } },
    { title: 'starts before the file', options: { start: -1 }, error: { name: 'RangeError' } },
    { title: 'starts between two bytes', options: { start: 0.5 }, error: { name: 'RangeError' } },
  ])('is not even asked for when it $title', async ({ options, error }) => {
    const origin = await start(fileHost());

    await expect(open(origin, options)).rejects.toMatchObject(error);

    expect(origin.connections).toEqual([]);
  });

  it('of a file whose size the server does not know is served up to its announced end', async () => {
    const origin = await start(always(206, { 'content-range': 'bytes 5-9/*' }, FILE.subarray(5, 10)));

    const { body, ...file } = await open(origin, { start: 5 });

    expect(file).toMatchObject({ range: { start: 5, end: 9 } });
    expect(file).not.toHaveProperty('size');
    expect(await text(body)).toBe('56789');
  });

  it.each([
    { title: 'fewer', bytes: FILE.subarray(5, 12), code: 'SOURCE_TRUNCATED' },
    { title: 'more', bytes: FILE, code: 'RANGE_IGNORED' },
  ])('with $title bytes in its chunks than its Content-Range says fails with $code', async ({ bytes, code }) => {
    const origin = await start((_, response) => {
      response.writeHead(206, { 'content-range': 'bytes 5-19/20' });
      response.write(bytes.subarray(0, 3));
      response.end(bytes.subarray(3));
    });

    const { body } = await open(origin, { start: 5 });

    await expect(text(body)).rejects.toMatchObject({ code });
  });
});

describe('checksums', () => {
  const hex = MD5.toString('hex');
  const base64 = MD5.toString('base64');
  const other = createHash('md5').update('part').digest('base64');

  it.each([
    { title: 'Content-MD5 of a whole file', headers: { 'content-md5': base64 }, found: { md5: hex } },
    {
      title: 'Content-Digest of a whole file',
      headers: { 'content-digest': `sha-256=:AAAA:, md5=:${base64}:` },
      found: { md5: hex },
    },
    {
      title: 'one joined x-goog-hash',
      headers: { 'x-goog-hash': `crc32c=t4Rqeg==,md5=${base64}` },
      found: { crc32c: 'b7846a7a', md5: hex },
    },
    { title: 'nothing in an unknown algorithm', headers: { 'x-goog-hash': 'sha1=AAAA' }, found: {} },
    { title: 'nothing of the wrong length', headers: { 'x-goog-hash': 'md5=AAAA,crc32c=AAAAAAAA' }, found: {} },
    {
      title: 'nothing of an object that is stored compressed',
      headers: { 'x-goog-hash': `md5=${base64}`, 'x-goog-stored-content-encoding': 'gzip' },
      found: {},
    },
  ])('are read: $title', async ({ headers, found }) => {
    const origin = await start(always(200, headers, FILE));

    expect((await open(origin)).checksums).toEqual(found);
  });

  it.each([
    { title: 'Content-MD5', headers: { 'content-md5': other }, found: {} },
    { title: 'Content-Digest', headers: { 'content-digest': `md5=:${other}:` }, found: {} },
    { title: 'Repr-Digest', headers: { 'repr-digest': `md5=:${base64}:` }, found: { md5: hex } },
    { title: 'x-goog-hash', headers: { 'x-goog-hash': 'crc32c=t4Rqeg==' }, found: { crc32c: 'b7846a7a' } },
  ])('with a part, $title counts only if it is that of the whole file', async ({ headers, found }) => {
    const origin = await start(always(206, { 'content-range': 'bytes 5-19/20', ...headers }, FILE.subarray(5)));

    expect((await open(origin, { start: 5 })).checksums).toEqual(found);
  });
});

describe('status', () => {
  it.each([
    [404, 'NOT_FOUND'],
    [410, 'NOT_FOUND'],
    [401, 'UNAUTHENTICATED'],
    [403, 'PERMISSION_DENIED'],
    [400, 'PERMISSION_DENIED'],
    [451, 'PERMISSION_DENIED'],
    [408, 'UNAVAILABLE'],
    [416, 'RANGE_NOT_SATISFIABLE'],
    [429, 'RATE_LIMITED'],
    [500, 'UNAVAILABLE'],
    [502, 'UNAVAILABLE'],
    [503, 'UNAVAILABLE'],
    [504, 'UNAVAILABLE'],
    [520, 'UNAVAILABLE'],
    [202, 'UNSUPPORTED'],
    [204, 'UNSUPPORTED'],
    [304, 'UNSUPPORTED'],
  ])('%d is %s, and its body is not waited for', async (status, code) => {
    const origin = await start((_, response) => response.writeHead(status).flushHeaders());

    await expect(open(origin)).rejects.toMatchObject({
      code,
      httpStatus: status,
      url: origin.url('/a.mp4'),
      retryAfterMs: undefined,
    });
  });

  it('a refusal leaves no connection open', async () => {
    const origin = await start((_, response) => response.writeHead(404).write('a long story'));

    await expect(open(origin)).rejects.toMatchObject({ code: 'NOT_FOUND' });

    await allClosed(origin);
  });

  it.each([429, 503])('%d says how many seconds to wait', async (status) => {
    const origin = await start(always(status, { 'retry-after': '7' }));

    await expect(open(origin)).rejects.toMatchObject({ retryAfterMs: 7000 });
  });

  it('429 says until when to wait', async () => {
    const origin = await start(always(429, { 'retry-after': new Date(Date.now() + 60_000).toUTCString() }));

    const { retryAfterMs } = (await open(origin).catch((error: unknown) => error)) as { retryAfterMs: number };

    expect(retryAfterMs).toBeGreaterThan(50_000);
    expect(retryAfterMs).toBeLessThanOrEqual(60_000);
  });

  it.each([
    ['a date in the past', 'Thu, 22 Aug 2024 13:17:10 GMT', 0],
    ['nonsense', 'soon', undefined],
  ])('429 with %s', async (_, header, retryAfterMs) => {
    const origin = await start(always(429, { 'retry-after': header }));

    const error = await open(origin).catch((caught: unknown) => caught);

    expect((error as { retryAfterMs?: number }).retryAfterMs).toBe(retryAfterMs);
  });
});
