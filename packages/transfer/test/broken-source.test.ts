import { createServer, type Socket } from 'node:net';
import { Readable } from 'node:stream';
import { afterAll, describe, expect, it } from '@jest/globals';
import { faultyStorage, MemoryStorage } from '@paradoxon/storage-testing';
import { fromObject, transfer, type TransferOptions, type TransferSource } from '../src/index.ts';
import { bytesIn, Setting, withMethods } from './fixtures/setting.ts';
import { box, md5, mp4, sha256 } from './fixtures/video-bytes.ts';

const MiB = 1024 ** 2;
const SIZE = 2 * MiB;
const VIDEO = mp4(SIZE);
// Most of these wait for a back-off or a silence: they wait together.
const setting = new Setting();
afterAll(() => setting.end());

/** Runs a transfer into two stores and tells the story in a few words. */
async function run(source: TransferSource, options: TransferOptions = {}) {
  const stores = [new MemoryStorage('one'), new MemoryStorage('two')];
  const result = await transfer(
    source,
    stores.map((store) => ({ store, key: 'a' })),
    options,
  );
  const errors = result.verdicts.map((verdict) => (verdict.ok ? 'ok' : verdict.error.code));
  return {
    ...result,
    stores,
    errors,
    first: result.verdicts[0],
    leftovers: stores.flatMap((store) => store.leftovers()),
    bytes: await bytesIn(stores[0]!, 'a'),
  };
}

describe('a connection that breaks', () => {
  it.concurrent.each([{ way: 'cutAfterBytes' }, { way: 'resetAfterBytes' }] as const)(
    'three times ($way) is continued at the byte it had come to, not started over',
    async ({ way }) => {
      const { throughProxy, proxy, server } = await setting.source(VIDEO);
      for (const part of [0.4, 0.4 * 0.6, 0.4 * 0.6 * 0.6]) proxy.inject({ [way]: Math.floor(part * SIZE) }, 1);

      const { verdicts, bytes, attempts } = await run(throughProxy);

      expect(verdicts).toMatchObject([{ ok: true }, { ok: true }]);
      expect(bytes?.equals(VIDEO)).toBe(true);
      expect(proxy.faulted).toBe(3);
      expect(attempts).toBe(4);
      const [first, ...resumed] = server.requests;
      expect(first).not.toHaveProperty('range');
      const starts = resumed.map(({ range }) => Number(/^bytes=(\d+)-$/.exec(range ?? '')?.[1]));
      // a reset may take with it what was not read yet
      expect(starts.every((start, index) => start >= (starts[index - 1] ?? 1))).toBe(true);
      expect(resumed).toEqual(
        starts.map((start) => ({
          method: 'GET',
          path: '/video.mp4',
          range: `bytes=${start}-`,
          ifRange: `"${md5(VIDEO)}"`,
          status: 206,
        })),
      );
    },
  );

  it.concurrent('after the last byte takes nothing away and asks for nothing more', async () => {
    const source = inMemory(VIDEO, ({ start }) => ({
      body: Readable.from(
        (function* () {
          yield VIDEO.subarray(start);
          throw Object.assign(new Error('reset'), { code: 'ECONNRESET' });
        })(),
      ),
    }));

    const { errors, bytes } = await run(source);

    expect(errors).toEqual(['ok', 'ok']);
    expect(bytes?.equals(VIDEO)).toBe(true);
    expect(source.starts).toEqual([0]);
  });

  it.concurrent('in front of the last byte is continued with a request for that byte', async () => {
    const source = inMemory(VIDEO, ({ start }) => ({ body: cutAt(start, start === 0 ? SIZE - 1 : SIZE) }));

    const { errors, bytes } = await run(source);

    expect(errors).toEqual(['ok', 'ok']);
    expect(bytes?.equals(VIDEO)).toBe(true);
    expect(source.starts).toEqual([0, SIZE - 1]);
  });

  it.concurrent('is started over when the source names no version', async () => {
    const source = inMemory(VIDEO, ({ start }, attempt) => ({
      body: cutAt(start, attempt === 1 ? SIZE / 2 : SIZE),
      validator: undefined,
    }));

    const { errors, bytes } = await run(source);

    expect(errors).toEqual(['ok', 'ok']);
    expect(bytes?.equals(VIDEO)).toBe(true);
    expect(source.starts).toEqual([0, 0]);
  });

  it.concurrent('again and again without progress is given up, and every target has the same error', async () => {
    const source = inMemory(VIDEO, ({ start }) => ({ body: cutAt(start, 1000) }));

    const { first, verdicts, attempts, leftovers, content } = await run(source, { maxAttempts: 3 });

    expect(attempts).toBe(3);
    expect(first).toMatchObject({ ok: false, error: { code: 'NETWORK', scope: 'source', committed: 'no' } });
    expect(verdicts[1]).toMatchObject({ ok: false, error: (first as { error: unknown }).error });
    expect(content).toBeUndefined();
    expect(leftovers).toEqual([]);
  });

  it.concurrent('of a store that is read from is continued by version, too', async () => {
    const inner = new MemoryStorage('good');
    const { direct } = await setting.source(VIDEO);
    await transfer(direct, [{ store: inner, key: 'a' }]);
    const good = faultyStorage(inner, {
      open: [
        { failAfterBytes: MiB, error: 'NETWORK' },
        { failAfterBytes: 1, error: 'NETWORK' },
      ],
    });

    const { errors, bytes, attempts } = await run(fromObject(good, 'a'));

    expect(errors).toEqual(['ok', 'ok']);
    expect(bytes?.equals(VIDEO)).toBe(true);
    expect({ attempts, pending: good.pendingFaults() }).toEqual({ attempts: 3, pending: [] });
  });

  it.concurrent('of a store that serves another range than it was asked for is started over', async () => {
    const inner = new MemoryStorage('good');
    const { direct } = await setting.source(VIDEO);
    await transfer(direct, [{ store: inner, key: 'a' }]);
    const good = faultyStorage(withMethods(inner, { open: (key) => inner.open(key) }), {
      open: [{ failAfterBytes: MiB, error: 'NETWORK' }],
    });

    const { errors, bytes, attempts } = await run(fromObject(good, 'a'));

    expect({ errors, attempts }).toEqual({ errors: ['ok', 'ok'], attempts: 3 });
    expect(bytes?.equals(VIDEO)).toBe(true);
  });

  it.concurrent('is started over when the server has only a weak validator', async () => {
    const text = asciiMp4();
    const { throughProxy, proxy, server, name } = await setting.source(VIDEO);
    const weak = { status: 200, headers: { etag: 'W/"1"', 'content-length': `${text.length}` }, body: text };
    server.fail(name, [weak, weak]);
    proxy.inject({ cutAfterBytes: text.length / 2 }, 1);

    const { errors, bytes } = await run(throughProxy);

    expect(errors).toEqual(['ok', 'ok']);
    expect(bytes?.toString('latin1')).toBe(text);
    expect(server.requests.map(({ range }) => range)).toEqual([undefined, undefined]);
  });

  it.concurrent('of a store without ranges is started over', async () => {
    const inner = new MemoryStorage('good', { range: false });
    const { direct } = await setting.source(VIDEO);
    await transfer(direct, [{ store: inner, key: 'a' }]);
    const good = faultyStorage(inner, { open: [{ failAfterBytes: MiB, error: 'NETWORK' }] });

    const { errors, bytes } = await run(fromObject(good, 'a'));

    expect(errors).toEqual(['ok', 'ok']);
    expect(bytes?.equals(VIDEO)).toBe(true);
  });
});

describe('a source that is not needed any more', () => {
  it.concurrent('is closed when the reading ends early', async () => {
    const bodies: Readable[] = [];
    const source = inMemory(VIDEO, ({ start }) => {
      const body = cutAt(start, SIZE);
      bodies.push(body);
      return { body };
    });
    const full = faultyStorage(new MemoryStorage(), { put: [{ failAfterBytes: 1000, error: 'QUOTA_EXCEEDED' }] });

    await transfer(source, [{ store: full, key: 'a' }], { windowBytes: 65_536 });

    expect(bodies.map(({ destroyed }) => destroyed)).toEqual([true]);
  });

  it.concurrent('is closed when it answers too late', async () => {
    const late = Promise.withResolvers<Readable>();
    const source: TransferSource = {
      name: 'late',
      open: async () => {
        await new Promise((later) => setTimeout(later, 150));
        const body = cutAt(0, SIZE);
        late.resolve(body);
        return { size: SIZE, checksums: {}, body };
      },
    };

    const { errors } = await run(source, { sourceIdleMs: 50, maxAttempts: 1 });

    expect(errors).toEqual(['TIMEOUT', 'TIMEOUT']);
    const body = await late.promise;
    await new Promise((soon) => setTimeout(soon, 10));
    expect(body.destroyed).toBe(true);
  });
});

describe('a store that is read from', () => {
  it.concurrent('is a source, and no target is blamed for its error', async () => {
    const bad = faultyStorage(new MemoryStorage('bad'), { open: [{ error: 'PERMISSION_DENIED' }] });

    const { first } = await run(fromObject(bad, 'a'));

    expect(first).toMatchObject({
      store: 'one',
      error: { code: 'PERMISSION_DENIED', scope: 'source', storage: 'bad' },
    });
  });
});

describe('a source that changes', () => {
  it.concurrent('while it is continued is read anew, and never spliced', async () => {
    const other = mp4(SIZE, 2);
    const { throughProxy, proxy, server, name } = await setting.source(VIDEO);
    proxy.inject({ cutAfterBytes: MiB }, 1);
    const replaced = waitUntil(() => proxy.faulted === 1).then(() => server.replace(name, other));

    const { verdicts, bytes, content } = await run(throughProxy);

    await replaced;
    expect(verdicts).toMatchObject([{ ok: true }, { ok: true }]);
    expect(content?.sha256).toBe(sha256(other));
    expect(bytes?.equals(other)).toBe(true);
    expect(server.requests.map(({ range, status }) => ({ ranged: range !== undefined, status }))).toEqual([
      { ranged: false, status: 200 },
      { ranged: true, status: 200 },
      { ranged: false, status: 200 },
    ]);
  });

  it.concurrent.each([
    { title: 'its validator', change: { validator: '"other"' } },
    { title: 'its size', change: { size: SIZE + 1 } },
  ])('in $title behind a right-looking 206 is read anew', async ({ change }) => {
    const other = mp4(SIZE, 2);
    const source = inMemory(VIDEO, ({ start }, attempt) => {
      if (attempt === 1) return { body: cutAt(0, MiB) };
      if (start > 0) return { body: Readable.from([other.subarray(start)]), ...change };
      return { body: Readable.from([other]), validator: '"other"' };
    });

    const { errors, bytes } = await run(source);

    expect(errors).toEqual(['ok', 'ok']);
    expect(bytes?.equals(other)).toBe(true);
    expect(source.starts).toEqual([0, MiB, 0]);
  });

  it.concurrent('all the time is given up', async () => {
    let version = 0;
    const source = inMemory(VIDEO, ({ start }) => {
      version += 1;
      return { body: cutAt(start, MiB), validator: `"${version}"` };
    });

    const { errors, leftovers } = await run(source, { maxAttempts: 3 });

    // cut, changed, cut
    expect(errors).toEqual(['NETWORK', 'NETWORK']);
    expect(source.starts).toEqual([0, MiB, 0]);
    expect(leftovers).toEqual([]);
  });
});

describe('a server that ignores ranges', () => {
  it.concurrent('is read from the beginning again, and not asked for a range twice', async () => {
    const { throughProxy, proxy, server, name } = await setting.source(VIDEO);
    server.fail(name, ['ignore-range', 'ignore-range', 'ignore-range', 'ignore-range']);
    proxy.inject({ cutAfterBytes: MiB }, 1);
    proxy.inject({}, 1);
    proxy.inject({ cutAfterBytes: MiB + 100_000 }, 1);

    const { errors, bytes } = await run(throughProxy);

    expect(errors).toEqual(['ok', 'ok']);
    expect(bytes?.equals(VIDEO)).toBe(true);
    expect({ faulted: proxy.faulted, pending: server.pendingFaults() }).toEqual({ faulted: 2, pending: 0 });
    expect(server.requests.filter(({ range }) => range !== undefined)).toHaveLength(1);
  });
});

describe('a body without an announced length that ends with its connection', () => {
  it.concurrent('is accepted when it is an MP4 whose boxes are all there', async () => {
    const source = setting.url(await closeDelimited(VIDEO));

    const { errors, bytes } = await run(source);

    expect(errors).toEqual(['ok', 'ok']);
    expect(bytes?.equals(VIDEO)).toBe(true);
  });

  it.concurrent('is refused when it is cut', async () => {
    const source = setting.url(await closeDelimited(VIDEO.subarray(0, SIZE - 1)));

    const { errors, leftovers } = await run(source, { maxAttempts: 2 });

    expect(errors).toEqual(['SOURCE_TRUNCATED', 'SOURCE_TRUNCATED']);
    expect(leftovers).toEqual([]);
  });
});

describe('a body that does not fit its announced length', () => {
  it.concurrent('is refused when it ends early without an error', async () => {
    const source = inMemory(VIDEO, ({ start }) => ({ body: Readable.from([VIDEO.subarray(start, MiB)]) }));

    const { errors, leftovers } = await run(source, { maxAttempts: 2 });

    expect(errors).toEqual(['SOURCE_TRUNCATED', 'SOURCE_TRUNCATED']);
    expect(leftovers).toEqual([]);
  });

  it.concurrent('is refused when it gives more', async () => {
    const source = inMemory(VIDEO, () => ({ body: Readable.from([VIDEO, Buffer.from('x')]) }));

    const { errors, leftovers } = await run(source);

    expect(errors).toEqual(['TOO_LARGE', 'TOO_LARGE']);
    expect(leftovers).toEqual([]);
  });
});

describe('what is no video', () => {
  it.concurrent.each([
    { looks: 'HTML', body: '<!doctype html><title>Gone</title>' },
    { looks: 'JSON', body: '{"detail":"requested file not found"}' },
    { looks: 'empty', body: '' },
  ])('is refused although it is called .mp4: $looks', async ({ looks, body }) => {
    const { direct, server } = await setting.source(Buffer.from(body));

    const { first, leftovers, attempts } = await run(direct);

    expect(first).toMatchObject({ error: { code: 'NOT_A_VIDEO', message: expect.stringContaining(looks) } });
    expect(leftovers).toEqual([]);
    expect(attempts).toBe(1);
    expect(server.requests).toHaveLength(1);
  });
});

describe('an advertised checksum', () => {
  it.concurrent('that the bytes do not have ends in CHECKSUM_MISMATCH and leaves nothing', async () => {
    const { direct, server, name } = await setting.source(VIDEO);
    server.fail(name, ['corrupt']);

    const { first, leftovers } = await run(direct);

    expect(first).toMatchObject({
      error: { code: 'CHECKSUM_MISMATCH', scope: 'source', message: expect.stringContaining('crc32c') },
    });
    expect(leftovers).toEqual([]);
  });

  it.concurrent('is compared as MD5 when that is all there is', async () => {
    const source = inMemory(VIDEO, () => ({ body: Readable.from([VIDEO]), checksums: { md5: md5(mp4(SIZE, 2)) } }));

    const { first, leftovers } = await run(source);

    expect(first).toMatchObject({ error: { code: 'CHECKSUM_MISMATCH', message: expect.stringContaining('md5') } });
    expect(leftovers).toEqual([]);
  });
});

describe('an answer other than the file', () => {
  it.concurrent('404 is final', async () => {
    const { direct, server, name } = await setting.source(VIDEO);
    server.expire(name);

    const { errors, attempts } = await run(direct);

    expect({ errors, attempts }).toEqual({ errors: ['NOT_FOUND', 'NOT_FOUND'], attempts: 1 });
  });

  it.concurrent('503, then a reset, then the file is archived at the third attempt', async () => {
    const { direct, server, name } = await setting.source(VIDEO);
    server.fail(name, [503, 'reset']);

    const { errors, attempts } = await run(direct);

    expect({ errors, attempts, pending: server.pendingFaults() }).toEqual({
      errors: ['ok', 'ok'],
      attempts: 3,
      pending: 0,
    });
  });

  it.concurrent('429 is obeyed', async () => {
    const { direct, server, name } = await setting.source(VIDEO);
    server.fail(name, [{ status: 429, headers: { 'retry-after': '1' } }]);
    const begun = performance.now();

    const { errors, attempts } = await run(direct);

    expect({ errors, attempts }).toEqual({ errors: ['ok', 'ok'], attempts: 2 });
    expect(performance.now() - begun).toBeGreaterThanOrEqual(1000);
  });

  it.concurrent('429 beyond the deadline is not waited for', async () => {
    const { direct, server, name } = await setting.source(VIDEO);
    server.fail(name, [{ status: 429, headers: { 'retry-after': '30' } }]);

    const { first, attempts } = await run(direct, { deadline: new Date(Date.now() + 5000) });

    expect(first).toMatchObject({ error: { code: 'RATE_LIMITED', retryAfterMs: 30_000 } });
    expect(attempts).toBe(1);
  });
});

describe('a source that falls silent', () => {
  it.concurrent('is left after the idle time and continued', async () => {
    const { throughProxy, proxy } = await setting.source(VIDEO);
    proxy.inject({ stallAfterBytes: MiB }, 1);

    const { errors, bytes, attempts } = await run(throughProxy);

    expect({ errors, attempts }).toEqual({ errors: ['ok', 'ok'], attempts: 2 });
    expect(bytes?.equals(VIDEO)).toBe(true);
  });

  it.concurrent('is noticed also when it has no watch of its own, before and after its answer', async () => {
    const source = inMemory(VIDEO, ({ start }, attempt) => ({
      body: attempt === 1 ? stalledAfter(VIDEO.subarray(0, MiB)) : Readable.from([VIDEO.subarray(start)]),
    }));
    const open = source.open.bind(source);
    let opens = 0;
    source.open = (options) => ((opens += 1) === 1 ? new Promise(() => undefined) : open(options));

    const { errors, bytes, attempts } = await run(source, { sourceIdleMs: 100 });

    expect({ errors, attempts }).toEqual({ errors: ['ok', 'ok'], attempts: 3 });
    expect(bytes?.equals(VIDEO)).toBe(true);
  });

  it.concurrent('but drips is waited for', async () => {
    const { throughProxy, proxy } = await setting.source(mp4(3000));
    proxy.inject({ dripBytes: 500 });

    const { errors, attempts } = await run(throughProxy, { sourceIdleMs: 300 });

    expect({ errors, attempts }).toEqual({ errors: ['ok', 'ok'], attempts: 1 });
  });
});

describe('a source beyond the limit', () => {
  const HUGE = { size: 3 * 1024 * MiB, seed: 1 };

  it.concurrent('is refused before a byte is read when it says so', async () => {
    const { direct } = await setting.source(HUGE);

    const { errors, leftovers, attempts } = await run(direct);

    expect({ errors, leftovers, attempts }).toEqual({ errors: ['TOO_LARGE', 'TOO_LARGE'], leftovers: [], attempts: 1 });
  });

  it.concurrent('is cut at the limit when it does not say so', async () => {
    const { direct, server, name } = await setting.source(HUGE);
    server.fail(name, ['no-length']);

    const { first, leftovers } = await run(direct, { maxBytes: 3 * MiB });

    expect(first).toMatchObject({ error: { code: 'TOO_LARGE', scope: 'source', retry: 'never' } });
    expect(leftovers).toEqual([]);
  });
});

it.concurrent('a source that writes over its old chunks harms nobody', async () => {
  const shared = Buffer.alloc(50_000);
  const source = inMemory(VIDEO, () => ({
    // no buffering in between: each chunk is really the shared memory
    body: Readable.from(
      (function* () {
        for (let at = 0; at < SIZE; at += shared.byteLength) {
          const length = Math.min(shared.byteLength, SIZE - at);
          VIDEO.copy(shared, 0, at, at + length);
          yield shared.subarray(0, length);
          shared.fill(0);
        }
      })(),
      { highWaterMark: 0 },
    ),
  }));

  const slow = faultyStorage(new MemoryStorage('slow'), { throttleBytesPerSecond: 20 * MiB });
  const fast = new MemoryStorage('fast');
  const { verdicts, content } = await transfer(
    source,
    [slow, fast].map((store) => ({ store, key: 'a' })),
  );

  expect(content?.sha256).toBe(sha256(VIDEO));
  expect(verdicts).toMatchObject([{ ok: true }, { ok: true }]);
  expect((await bytesIn(slow, 'a'))?.equals(VIDEO)).toBe(true);
});

/** A source in this process whose every opening is scripted. */
function inMemory(
  video: Buffer,
  answer: (
    options: { start: number },
    attempt: number,
  ) => { body: Readable; size?: number; validator?: string | undefined; checksums?: { md5?: string } },
) {
  const starts: number[] = [];
  const source: TransferSource & { readonly starts: number[] } = {
    name: 'script',
    starts,
    open: ({ start }) => {
      starts.push(start);
      const { body, size = video.byteLength, checksums = {}, ...rest } = answer({ start }, starts.length);
      const validator = 'validator' in rest ? rest.validator : '"v1"';
      return Promise.resolve({ body, size, checksums, ...(validator === undefined ? {} : { validator }) });
    },
  };
  return source;
}

function cutAt(start: number, end: number): Readable {
  return Readable.from(
    (function* () {
      for (let at = start; at < end; at += 40_000) yield VIDEO.subarray(at, Math.min(end, at + 40_000));
      if (end < SIZE) throw Object.assign(new Error('socket hang up'), { code: 'ECONNRESET' });
    })(),
  );
}

/** A whole MP4 in which every byte is ASCII, so that it can be a string. */
function asciiMp4(): string {
  const size = 0x4040;
  const head = Buffer.concat([
    box(24, 'ftyp', Buffer.from('isom\0\0\x02\0isommp42', 'latin1')),
    box(8, 'moov', Buffer.alloc(0)),
    box(size, 'mdat', Buffer.alloc(0)),
  ]);
  return head.toString('latin1') + 'a'.repeat(size - 8);
}

function stalledAfter(bytes: Buffer): Readable {
  const body = new Readable({ read: () => undefined });
  body.push(bytes);
  return body;
}

/** HTTP/1.0: no length, and the end of the connection is the end of the body. */
async function closeDelimited(body: Uint8Array): Promise<string> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.once('data', () => {
      socket.write('HTTP/1.0 200 OK\r\ncontent-type: video/mp4\r\n\r\n');
      socket.end(body);
    });
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  setting.atEnd(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((closed) => server.close(closed));
  });
  return `http://127.0.0.1:${(server.address() as { port: number }).port}/video.mp4`;
}

async function waitUntil(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((soon) => setTimeout(soon, 2));
}
