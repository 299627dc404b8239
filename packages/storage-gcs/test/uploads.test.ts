import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from '@jest/globals';
import type { ByteSource } from '@paradoxon/storage';
import type { GcsRequest, GcsServer } from '@paradoxon/storage-testing';
import { bodyOf, failure, KiB, MiB, noise, read, startServer, storeOf } from './gcs-place.ts';

const PART = 256 * KiB;
const UPLOAD = 'POST /upload/storage/v1/b/films/o';
const uploadsTo = (server: GcsServer): GcsRequest[] =>
  server.requests.filter(({ path }) => path.startsWith('/upload/storage/v1/b/films/o'));

describe('one request', () => {
  it('has the description, the checksum and the bytes of a small object in it', async () => {
    const server = await startServer();
    const store = await storeOf(server, { storageClass: 'NEARLINE' });

    const stored = await store.put('a/b.mp4', bodyOf('bytes'), {
      contentType: 'video/mp4',
      cacheControl: 'no-cache',
      metadata: { scene: '7' },
    });

    expect(uploadsTo(server)).toMatchObject([{ method: 'POST', query: { uploadType: 'multipart', name: 'a/b.mp4' } }]);
    expect(uploadsTo(server)[0]?.query).not.toHaveProperty('ifGenerationMatch');
    expect(server.objects('films')).toMatchObject([
      {
        name: 'a/b.mp4',
        metadata: {
          contentType: 'video/mp4',
          cacheControl: 'no-cache',
          metadata: { scene: '7' },
          storageClass: 'NEARLINE',
        },
      },
    ]);
    expect(stored.checksums).toEqual({
      crc32c: Buffer.from(server.objects('films')[0]?.crc32c ?? '', 'base64').toString('hex'),
    });
  });

  it('is repeated only where it cannot replace what another writer has stored meanwhile', async () => {
    const server = await startServer();
    const store = await storeOf(server);
    server.fail(UPLOAD, ['lose-answer', 'lose-answer']);

    await store.put('a', bodyOf('bytes'));

    const conditions = uploadsTo(server).map(({ query }) => query['ifGenerationMatch']);
    const [first, ...repeated] = conditions;
    expect(first).toBeUndefined();
    expect(repeated).toHaveLength(2);
    expect(repeated.every((generation) => Number(generation) > 0)).toBe(true);
    expect((await read(store, 'a')).toString()).toBe('bytes');
  });

  it('gives way to another writer once, and looks again', async () => {
    const server = await startServer();
    const store = await storeOf(server);
    server.fail(UPLOAD, ['reset', 412]);

    await store.put('a', bodyOf('bytes'));

    expect(uploadsTo(server).map(({ query }) => query['ifGenerationMatch'])).toEqual([undefined, '0', '0']);
  });

  it('leaves open who was first when the answer to a create-only write was lost', async () => {
    const server = await startServer();
    const store = await storeOf(server);
    server.fail(UPLOAD, ['lose-answer']);

    const error = await failure(store.put('a', bodyOf('bytes'), { ifAbsent: true }));

    expect(error).toMatchObject({ code: 'ALREADY_EXISTS', committed: 'unknown' });
    expect((await read(store, 'a')).toString()).toBe('bytes');
  });

  it('is tried three times, and then says that the object may be there', async () => {
    const server = await startServer();
    const store = await storeOf(server);
    server.fail(UPLOAD, [503, 503, 503]);

    const error = await failure(store.put('a', bodyOf('bytes')));

    expect(error).toMatchObject({
      code: 'UNAVAILABLE',
      httpStatus: 503,
      committed: 'unknown',
      retry: 'safe',
      key: 'a',
    });
    expect(server.pendingFaults()).toBe(0);
  });

  it('is not repeated when the store says how long to wait', async () => {
    const server = await startServer();
    const store = await storeOf(server);
    server.fail(UPLOAD, [{ status: 429, headers: { 'retry-after': '7' } }]);

    const error = await failure(store.put('a', bodyOf('bytes')));

    expect(error).toMatchObject({ code: 'RATE_LIMITED', retry: 'after', retryAfterMs: 7000, committed: 'no' });
    expect(uploadsTo(server)).toHaveLength(1);
  });

  it.each([
    ['in one request', 1],
    ['in parts', 3 * PART],
  ])('%s, whose success is answered with something strange, says that the object may be there', async (_, bytes) => {
    const server = await startServer();
    const store = await storeOf(server, { partBytes: PART });
    const strange = [{ status: 200, body: '<html>Sign in</html>' }];
    server.fail(UPLOAD, bytes === 1 ? strange : []);
    // the query that follows does not help either
    server.fail({ method: 'PUT', contentRange: /\/\d+$/ }, bytes === 1 ? [] : strange);
    server.fail({ method: 'PUT', contentRange: /^bytes \*\/\*$/ }, bytes === 1 ? [] : [503]);

    const error = await failure(store.put('a', bodyOf(noise(bytes))));

    expect(error).toMatchObject({ code: 'INVALID_CONFIG', committed: 'unknown' });
  });

  it('that is aborted in flight says that the object may be there', async () => {
    const server = await startServer();
    const store = await storeOf(server);
    const controller = new AbortController();
    server.fail(UPLOAD, ['stall']);
    const put = failure(store.put('a', bodyOf('bytes'), { signal: controller.signal }));
    while (uploadsTo(server).length === 0) await sleep(5);

    controller.abort();

    expect(await put).toMatchObject({ code: 'ABORTED', committed: 'unknown', key: 'a', storage: 'gcs' });
  });

  it('that meets silence fails when its time is over', async () => {
    const server = await startServer();
    const store = await storeOf(server, { idleTimeoutMs: 200 });
    server.fail(UPLOAD, ['stall']);

    expect(await failure(store.put('a', bodyOf('bytes')))).toMatchObject({ code: 'STALLED', committed: 'unknown' });
  });
});

describe('a resumable upload', () => {
  const large = noise(5 * PART + 1000);
  const chunk = (number: number) => ({ method: 'PUT', contentRange: new RegExp(`^bytes ${number * PART}-`) });

  it('sends whole parts in order, and the checksum with the last one', async () => {
    const server = await startServer();
    const store = await storeOf(server, { partBytes: PART });

    await store.put('large', bodyOf(large), { ifAbsent: true, contentType: 'video/mp4' });

    const [start, ...parts] = uploadsTo(server);
    expect(start).toMatchObject({
      method: 'POST',
      query: { uploadType: 'resumable', ifGenerationMatch: '0' },
      headers: { 'x-upload-content-length': String(large.byteLength), 'x-upload-content-type': 'video/mp4' },
    });
    expect(parts.map(({ headers }) => headers['content-range'])).toEqual([
      ...[0, 1, 2, 3, 4].map((n) => `bytes ${n * PART}-${(n + 1) * PART - 1}/*`),
      `bytes ${5 * PART}-${large.byteLength - 1}/${large.byteLength}`,
    ]);
    expect(parts.at(-1)?.headers['x-goog-hash']).toMatch(/^crc32c=.{8}$/);
    expect(parts.some(({ headers }) => 'authorization' in headers)).toBe(false);
    expect((await read(store, 'large')).equals(large)).toBe(true);
  });

  it.each([0, 2, 5])('goes on where the store stands when the connection breaks in part %i', async (number) => {
    const server = await startServer();
    const store = await storeOf(server, { partBytes: PART });
    server.fail(chunk(number), [{ resetAfterBytes: number === 5 ? 500 : 200_000 }]);

    await store.put('large', bodyOf(large));

    expect(server.pendingFaults()).toBe(0);
    expect((await read(store, 'large')).equals(large)).toBe(true);
    expect([server.objects('films').length, server.sessions().length]).toEqual([1, 0]);
  });

  it('sends nothing twice that the store has, in parts larger than it keeps', async () => {
    const server = await startServer();
    const store = await storeOf(server, { partBytes: 4 * PART });
    server.fail(chunk(0), [{ resetAfterBytes: 3 * PART + 10 }]);

    await store.put('large', bodyOf(large));

    const ranges = uploadsTo(server).map(({ headers }) => headers['content-range']);
    expect(ranges).toContain('bytes */*');
    expect(ranges).toContain(`bytes ${3 * PART}-${4 * PART - 1}/*`);
    expect((await read(store, 'large')).equals(large)).toBe(true);
  });

  it('finds the object that a lost answer was about, and stores it once', async () => {
    const server = await startServer();
    const store = await storeOf(server, { partBytes: PART });
    server.fail(chunk(5), ['lose-answer']);

    const { etag } = await store.put('large', bodyOf(large), { ifAbsent: true });

    expect(server.objects('films').map(({ generation }) => String(generation))).toEqual([etag]);
  });

  it('gives up after three failures without progress, and leaves nothing', async () => {
    const server = await startServer();
    const store = await storeOf(server, { partBytes: PART });
    server.fail({ method: 'PUT', contentRange: /./ }, [503, 503, 503]);

    const error = await failure(store.put('large', bodyOf(large)));

    expect(error).toMatchObject({ code: 'UNAVAILABLE', committed: 'no' });
    expect([server.objects('films'), server.sessions()]).toEqual([[], []]);
  });

  it('does not begin where a create-only object is already', async () => {
    const server = await startServer();
    const store = await storeOf(server, { partBytes: PART });
    await store.put('large', bodyOf('first'));

    const error = await failure(store.put('large', bodyOf(large), { ifAbsent: true }));

    expect(error).toMatchObject({ code: 'ALREADY_EXISTS', committed: 'no' });
    expect(uploadsTo(server).filter(({ query }) => query['uploadType'] === 'resumable')).toEqual([]);
  });

  it('loses at its end to another writer who was quicker', async () => {
    const server = await startServer();
    const store = await storeOf(server, { partBytes: PART });
    const quicker = async function* (): AsyncGenerator<Uint8Array> {
      yield await Promise.resolve(large.subarray(0, 3 * PART));
      server.put('films', 'large', Buffer.from('quicker'));
      yield large.subarray(3 * PART);
    };

    const error = await failure(store.put('large', { size: large.byteLength, chunks: quicker() }, { ifAbsent: true }));

    expect(error).toMatchObject({ code: 'ALREADY_EXISTS', committed: 'no' });
    expect((await read(store, 'large')).toString()).toBe('quicker');
    expect(server.sessions()).toEqual([]);
  });

  it('that was aborted before its end knows from the store that nothing was stored', async () => {
    const server = await startServer();
    const store = await storeOf(server, { partBytes: PART });
    const controller = new AbortController();
    server.fail(chunk(5), ['stall']);
    const put = failure(store.put('large', bodyOf(large), { signal: controller.signal }));
    while (server.pendingFaults() > 0 || uploadsTo(server).length < 7) await sleep(5);

    controller.abort();

    expect(await put).toMatchObject({ code: 'ABORTED', committed: 'no' });
    expect([server.objects('films'), server.sessions()]).toEqual([[], []]);
  });

  it('that was aborted behind its end knows from the store that the object is there', async () => {
    const server = await startServer();
    const store = await storeOf(server, { partBytes: PART });
    const controller = new AbortController();
    server.fail(chunk(5), ['lose-answer']);
    server.fail({ method: 'PUT', contentRange: /^bytes \*\// }, ['stall']);
    const put = failure(store.put('large', bodyOf(large), { signal: controller.signal }));
    while (server.pendingFaults() > 0) await sleep(5);
    await sleep(20);

    controller.abort();

    expect(await put).toMatchObject({ code: 'ABORTED', committed: 'yes' });
    expect((await read(store, 'large')).equals(large)).toBe(true);
  });

  it('says that the put can be tried again when Google has forgotten the session', async () => {
    const server = await startServer();
    const store = await storeOf(server, { partBytes: PART });
    server.fail(chunk(1), [410, 410, 410]);
    server.fail({ method: 'PUT', contentRange: /^bytes \*/ }, [410, 410, 410]);

    const error = await failure(store.put('large', bodyOf(large)));

    expect(error).toMatchObject({ code: 'UNAVAILABLE', retry: 'safe', committed: 'no' });
  });

  it('holds a part and what is read ahead, however slow the store is', async () => {
    const server = await startServer();
    const store = await storeOf(server, { partBytes: PART, uploadConcurrency: 1 });
    const controller = new AbortController();
    let given = 0;
    const counted = async function* (): AsyncGenerator<Uint8Array> {
      for (; given < 40 * PART; given += 64 * KiB) yield await Promise.resolve(Buffer.alloc(64 * KiB));
    };
    server.fail(chunk(0), ['stall']);

    const put = failure(store.put('large', { chunks: counted() }, { signal: controller.signal }));
    while (server.pendingFaults() > 0) await sleep(5);
    await sleep(100);

    // two buffers, and the chunk that says that the second is not the last
    expect(given).toBeLessThanOrEqual(2 * PART + 64 * KiB);
    controller.abort();
    await put;
  });
});

describe('checksums', () => {
  const wrong = (bytes: Buffer): ByteSource => ({ ...bodyOf(bytes), checksums: () => ({ crc32c: '00000001' }) });

  it.each([
    ['one request', 1000],
    ['parts', 3 * PART],
  ])('of the giver are refused by the store when the bytes of %s are others', async (_, bytes) => {
    const server = await startServer();
    const store = await storeOf(server, { partBytes: PART });

    const error = await failure(store.put('a', wrong(noise(bytes))));

    expect(error).toMatchObject({ code: 'CHECKSUM_MISMATCH', httpStatus: 400, committed: 'no', retry: 'safe' });
    expect([server.objects('films'), server.sessions()]).toEqual([[], []]);
  });

  it.each([
    ['size', { size: '4' }],
    ['checksum', { crc32c: 'AAAAAA==' }],
  ])(
    'and sizes are compared: what the store holds with another %s is deleted, in this version only',
    async (_, lie) => {
      const server = await startServer();
      const store = await storeOf(server);
      const resource = { name: 'a', size: '5', generation: '12345', crc32c: 'x', ...lie };
      server.fail(UPLOAD, [{ status: 200, body: JSON.stringify(resource) }]);

      const error = await failure(store.put('a', bodyOf('bytes')));

      expect(error).toMatchObject({ code: 'CHECKSUM_MISMATCH', committed: 'no' });
      expect(server.requests.filter(({ method }) => method === 'DELETE')).toMatchObject([
        { path: '/storage/v1/b/films/o/a', query: { ifGenerationMatch: '12345' } },
      ]);
    },
  );

  it('that no giver knows are computed here', async () => {
    const server = await startServer();
    const store = await storeOf(server, { partBytes: PART });
    const bytes = noise(3 * PART + 5);

    await store.put('a', bodyOf(bytes, { sized: false }));

    expect(uploadsTo(server).at(-1)?.headers['x-goog-hash']).toBe(`crc32c=${server.objects('films')[0]?.crc32c}`);
  });
});

// what SDKs that are given a stream do wrong
describe('a source', () => {
  it('that ends at 10.5 of 12 MiB stores nothing', async () => {
    const server = await startServer();
    const store = await storeOf(server);
    const { chunks } = bodyOf(noise(10.5 * MiB), { chunkBytes: MiB });

    const error = await failure(store.put('a', { size: 12 * MiB, chunks }));

    expect(error).toMatchObject({ code: 'SOURCE_TRUNCATED', scope: 'source' });
    expect([server.objects('films'), server.sessions()]).toEqual([[], []]);
  });

  it('that stalls while the put is aborted has its unfinished upload cancelled and is closed', async () => {
    const server = await startServer();
    const store = await storeOf(server, { partBytes: PART });
    const controller = new AbortController();
    const source = new Readable({ read: () => undefined });
    source.push(noise(3 * PART));
    const put = failure(store.put('a', { chunks: source }, { signal: controller.signal }));
    while (uploadsTo(server).length < 2) await sleep(5);

    controller.abort();

    expect(await put).toMatchObject({ code: 'ABORTED', committed: 'no' });
    expect(server.sessions()).toEqual([]);
    expect(uploadsTo(server).at(-1)).toMatchObject({ method: 'DELETE', status: 499 });
    expect(source.destroyed).toBe(true);
  });

  it('that is destroyed without an error fails the put', async () => {
    const server = await startServer();
    const store = await storeOf(server, { partBytes: PART });
    const source = new Readable({ read: () => undefined });
    source.push(noise(3 * PART));
    const put = failure(store.put('a', { chunks: source }));
    while (uploadsTo(server).length < 2) await sleep(5);

    source.destroy();

    expect(await put).toMatchObject({ code: 'ERR_STREAM_PREMATURE_CLOSE' });
    expect([server.objects('films'), server.sessions()]).toEqual([[], []]);
  });

  it('that is empty is stored as an empty object', async () => {
    const server = await startServer();
    const store = await storeOf(server);

    await store.put('a', { chunks: Readable.from([]) });

    expect(server.objects('films').map(({ bytes }) => bytes.byteLength)).toEqual([0]);
  });

  it('is not read at all when its key is none or it is too large', async () => {
    const server = await startServer();
    const store = await storeOf(server);
    const [first, second] = [Readable.from(['a']), Readable.from(['a'])];

    expect(await failure(store.put('../a', { chunks: first }))).toMatchObject({ code: 'INVALID_KEY', key: '../a' });
    expect(await failure(store.put('a', { size: 6 * 1024 ** 4, chunks: second }))).toMatchObject({ code: 'TOO_LARGE' });

    expect([first.destroyed, second.destroyed]).toEqual([true, true]);
  });
});
