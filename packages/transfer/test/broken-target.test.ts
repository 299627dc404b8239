import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, describe, expect, it } from '@jest/globals';
import { type ByteSource, type PutOptions, StorageError, type StoragePlugin } from '@paradoxon/storage';
import { faultyStorage, MemoryStorage } from '@paradoxon/storage-testing';
import { transfer, type TransferOptions, type TransferSource, type Verdict } from '../src/index.ts';
import { bytesIn, Setting, withMethods } from './fixtures/setting.ts';
import { mp4 } from './fixtures/video-bytes.ts';

const MiB = 1024 ** 2;
const SIZE = 4 * MiB;
const VIDEO = mp4(SIZE);
// Many of these wait for a clock: they wait together.
const setting = new Setting();
afterAll(() => setting.end());

const MISMATCH = { ok: false, error: { code: 'CHECKSUM_MISMATCH', scope: 'target' } };

/** The bad store between two good ones: whatever it does, they must not feel it. */
async function withTwoGoodOnes(bad: StoragePlugin, options: TransferOptions = {}, source = plain()) {
  const [before, after] = [new MemoryStorage('before'), new MemoryStorage('after')];
  const targets = [before, bad, after].map((store) => ({ store, key: 'a' }));
  const { verdicts, content } = await transfer(source, targets, options);
  for (const good of [before, after]) expect((await bytesIn(good, 'a'))?.equals(VIDEO)).toBe(true);
  expect([verdicts[0], verdicts[2]]).toMatchObject([{ ok: true }, { ok: true }]);
  return { verdict: verdicts[1] as Verdict, targets, content };
}

describe('one target among three', () => {
  it.concurrent('that fails half way fails alone, and a second run fills only that one', async () => {
    const inner = new MemoryStorage('bad');
    const bad = faultyStorage(inner, { put: [{ failAfterBytes: SIZE / 2, error: 'UNAVAILABLE' }] });

    const { verdict, targets } = await withTwoGoodOnes(bad);

    expect(verdict).toMatchObject({
      ok: false,
      store: 'bad',
      key: 'a',
      error: { code: 'UNAVAILABLE', committed: 'no' },
    });
    expect(inner.leftovers()).toEqual([]);

    const { verdicts } = await transfer(plain(), targets);
    expect(verdicts).toMatchObject([
      { ok: true, reused: true },
      { ok: true, reused: false },
      { ok: true, reused: true },
    ]);
    expect((await bytesIn(inner, 'a'))?.equals(VIDEO)).toBe(true);
  });

  it.concurrent('that refuses before it reads a byte does not hold the others up', async () => {
    const bad = faultyStorage(new MemoryStorage('bad'), { put: [{ error: 'PERMISSION_DENIED' }] });

    const { verdict } = await withTwoGoodOnes(bad, { windowBytes: 64 * 1024 });

    expect(verdict).toMatchObject({ ok: false, error: { code: 'PERMISSION_DENIED', storage: 'bad' } });
  });

  it.concurrent('that stops taking bytes while the others wait is let go as LAGGED', async () => {
    const inner = new MemoryStorage('bad');
    const bad = faultyStorage(inner, { put: [{ stallAfterBytes: MiB }] });

    const { verdict } = await withTwoGoodOnes(bad, { windowBytes: MiB, lagMs: 100 });

    expect(verdict).toMatchObject({
      ok: false,
      error: { code: 'LAGGED', scope: 'target', storage: 'bad', retry: 'safe' },
    });
    expect(inner.leftovers()).toEqual([]);
  });

  it.concurrent('that holds all the window has is let go as well', async () => {
    const bad = faultyStorage(new MemoryStorage('bad'), { put: [{ stallAfterBytes: 1000 }] });

    const { verdict } = await withTwoGoodOnes(bad, { windowBytes: 64 * 1024, lagMs: 100 });

    expect(verdict).toMatchObject({ ok: false, error: { code: 'LAGGED' } });
  });

  it.concurrent('that is slow but takes bytes sets the pace and is not let go', async () => {
    const slow = faultyStorage(new MemoryStorage('slow'), { throttleBytesPerSecond: 5 * MiB });

    const { verdict } = await withTwoGoodOnes(slow, { windowBytes: MiB, lagMs: 300, targetIdleMs: 300 });

    expect(verdict).toMatchObject({ ok: true });
  });

  it.concurrent('that stops taking bytes while nobody waits for it is STALLED', async () => {
    const inner = new MemoryStorage('bad');
    const bad = faultyStorage(inner, { put: [{ stallAfterBytes: MiB }] });

    const { verdict } = await withTwoGoodOnes(bad, { windowBytes: 2 * SIZE, lagMs: 50, targetIdleMs: 200 });

    expect(verdict).toMatchObject({ ok: false, error: { code: 'STALLED', scope: 'target', committed: 'no' } });
    expect(inner.leftovers()).toEqual([]);
  });

  it.concurrent('that starves because of the source is not blamed', async () => {
    const { throughProxy, proxy } = await setting.source(VIDEO);
    proxy.inject({ stallAfterBytes: MiB }, 1);

    // the source is silent for 400 ms
    const { verdict } = await withTwoGoodOnes(new MemoryStorage('fine'), { lagMs: 50, targetIdleMs: 50 }, throughProxy);

    expect(verdict).toMatchObject({ ok: true });
  });

  it.concurrent('that still works on its chunk while the source has no other is not blamed', async () => {
    const inner = new MemoryStorage('thoughtful');
    const hasThought = Promise.withResolvers<void>();
    const thoughtful = withMethods(inner, {
      put: (key, { chunks }, options) =>
        inner.put(
          key,
          {
            chunks: (async function* () {
              let first = true;
              for await (const chunk of chunks) {
                if (first) await sleep(150);
                first = false;
                hasThought.resolve();
                yield chunk;
              }
            })(),
          },
          options,
        ),
    });
    const { verdict } = await withTwoGoodOnes(thoughtful, { targetIdleMs: 60 }, pausing(hasThought.promise));

    expect(verdict).toMatchObject({ ok: true });
  });

  it.concurrent('that has the object already waits for the end of a long reading', async () => {
    const has = new MemoryStorage('has');
    await transfer(plain(), [{ store: has, key: 'a' }]);
    const { throughProxy, proxy } = await setting.source(VIDEO);
    proxy.inject({ bytesPerSecond: 8 * MiB });

    const { verdict } = await withTwoGoodOnes(has, { targetIdleMs: 40 }, throughProxy);

    expect(verdict).toMatchObject({ ok: true, reused: true });
  });

  it.concurrent('that has the object already waits for the second reading when the first one breaks', async () => {
    const has = new MemoryStorage('has');
    await transfer(plain(), [{ store: has, key: 'a' }]);

    const { verdict } = await withTwoGoodOnes(has, {}, cutOnce(Promise.resolve()));

    expect(verdict).toMatchObject({ ok: true, reused: true });
  });

  it.concurrent('has time to finish after its last byte', async () => {
    const inner = new MemoryStorage('finishing');
    const finishing = withMethods(inner, {
      put: async (key, body, options) => {
        const stored = await inner.put(key, body, options);
        await sleep(150, undefined, options?.signal ? { signal: options.signal } : {});
        return stored;
      },
    });

    const { verdict } = await withTwoGoodOnes(finishing, { targetIdleMs: 100 });

    expect(verdict).toMatchObject({ ok: true });
  });

  it.concurrent('that was let go stays let go when the source has to be started over', async () => {
    const inner = new MemoryStorage('bad');
    const isAborted = Promise.withResolvers<void>();
    let puts = 0;
    const bad = withMethods(inner, {
      put: (_key, _body, options) =>
        new Promise((_, reject) => {
          puts += 1;
          options?.signal?.addEventListener('abort', () => {
            isAborted.resolve();
            setTimeout(() => reject(new Error('at last')), 300);
          });
        }),
    });
    const source = cutOnce(isAborted.promise);

    const { verdict } = await withTwoGoodOnes(bad, { targetIdleMs: 60 }, source);

    expect(verdict).toMatchObject({ ok: false, error: { code: 'STALLED', storage: 'bad' } });
    expect({ opens: source.opens, puts }).toEqual({ opens: 2, puts: 1 });
  });

  it.concurrent('that stores something else is found out by its checksum, and its copy is deleted', async () => {
    const inner = new MemoryStorage('liar');
    const liar = withMethods(inner, {
      put: (key, body, options) => inner.put(key, flipped(body), options),
    });

    const { verdict } = await withTwoGoodOnes(liar);

    expect(verdict).toMatchObject(MISMATCH);
    expect(verdict).toMatchObject({ error: { committed: 'no', message: expect.stringContaining('sha256') } });
    expect(inner.leftovers()).toEqual([]);
  });

  it.concurrent.each([
    { title: 'its checksums', capabilities: {} },
    { title: 'only head, where it knows no checksums', capabilities: { checksums: [] } },
  ])('that loses bytes is found out by its size: $title', async ({ capabilities }) => {
    const inner = new MemoryStorage('liar', capabilities);
    const liar = withMethods(inner, {
      put: async (key, body, options) => {
        const stored = await inner.put(key, shortened(body), options);
        return { ...stored, size: SIZE, checksums: {} };
      },
    });

    const { verdict } = await withTwoGoodOnes(liar);

    expect(verdict).toMatchObject(MISMATCH);
    expect(inner.leftovers()).toEqual([]);
  });

  it.concurrent('that is done before the bytes have ended has not stored them', async () => {
    const inner = new MemoryStorage('hasty');
    const isDone = Promise.withResolvers<void>();
    const hasty = withMethods(inner, {
      put: async (key, _body, options) => {
        const stored = await inner.put(key, { chunks: Readable.from([VIDEO.subarray(0, 100)]) }, options);
        setTimeout(isDone.resolve, 20);
        return stored;
      },
    });

    const { verdict } = await withTwoGoodOnes(hasty, {}, pausing(isDone.promise));

    expect(verdict).toMatchObject(MISMATCH);
    expect(verdict).toMatchObject({ error: { message: expect.stringContaining('before the bytes had ended') } });
    expect(inner.leftovers()).toEqual([]);
  });

  it.concurrent('that cannot verify what it stored is not ok', async () => {
    const inner = new MemoryStorage('silent', { checksums: [] });
    const silent = faultyStorage(inner, { head: [{ error: 'UNAVAILABLE' }] });

    const { verdict } = await withTwoGoodOnes(silent);

    expect(verdict).toMatchObject({ ok: false, error: { code: 'UNAVAILABLE', committed: 'yes' } });
  });

  it.concurrent('whose answer is lost after the commit is found to hold the object', async () => {
    const bad = faultyStorage(new MemoryStorage('bad'), { put: [{ commitThenFail: true }] });

    const { verdict } = await withTwoGoodOnes(bad);

    expect(verdict).toMatchObject({ ok: true, reused: false, stored: { size: SIZE } });
    expect(bad.pendingFaults()).toEqual([]);
  });

  it.concurrent('whose answer is lost without a commit holds nothing, and says so', async () => {
    const inner = new MemoryStorage('bad');
    const lost = new StorageError('NETWORK', 'no answer', { committed: 'unknown' });
    const bad = faultyStorage(inner, { put: [{ failAfterBytes: SIZE, error: lost }] });

    const { verdict } = await withTwoGoodOnes(bad);

    expect(verdict).toMatchObject({ ok: false, error: { code: 'NETWORK', committed: 'no' } });
    expect(inner.leftovers()).toEqual([]);
  });

  it.concurrent('whose answer is lost and that cannot be asked either is honest about it', async () => {
    const bad = faultyStorage(new MemoryStorage('bad'), {
      put: [{ commitThenFail: true }],
      head: [{ error: 'UNAVAILABLE' }],
    });

    const { verdict, targets } = await withTwoGoodOnes(bad);

    expect(verdict).toMatchObject({ ok: false, error: { code: 'NETWORK', committed: 'unknown' } });
    // the next run finds out
    expect((await transfer(plain(), targets)).verdicts[1]).toMatchObject({ ok: true, reused: true });
  });

  it.concurrent(
    'that never settles is given up, at any stage, and the others were not held up',
    async () => {
      const never = new Promise<never>(() => undefined);
      const stages: [string, StoragePlugin][] = [
        ['before it reads', withMethods(new MemoryStorage('s1'), { put: () => never })],
        [
          'while it reads',
          withMethods(new MemoryStorage('s2'), {
            put: async (_key, { chunks }) => {
              for await (const _ of chunks) await never;
              throw new Error('never reached');
            },
          }),
        ],
        [
          'after the last byte',
          withMethods(new MemoryStorage('s3'), {
            put: async (_key, { chunks }) => {
              for await (const _ of chunks);
              return never;
            },
          }),
        ],
        ['when it is asked', withMethods(new MemoryStorage('s4', { checksums: [] }), { head: () => never })],
      ];

      const results = await Promise.all(
        stages.map(([, store]) => withTwoGoodOnes(store, { windowBytes: MiB, lagMs: 50, targetIdleMs: 100 })),
      );

      const told = results.map(({ verdict }) => (verdict.ok ? 'ok' : [verdict.error.code, verdict.error.committed]));
      expect(told).toEqual([
        ['LAGGED', 'unknown'],
        ['LAGGED', 'unknown'],
        ['STALLED', 'unknown'],
        ['STALLED', 'yes'],
      ]);
    },
    15_000,
  );
});

describe('a copy that is wrong', () => {
  it.concurrent('is not deleted when somebody has replaced it meanwhile', async () => {
    const inner = new MemoryStorage('shared');
    const winner = mp4(1000, 9);
    const shared = withMethods(inner, {
      put: async (key, body, options) => {
        const stored = await inner.put(key, flipped(body), options);
        await inner.put(key, { chunks: Readable.from([winner]) });
        return stored;
      },
    });

    const { verdict } = await withTwoGoodOnes(shared);

    expect(verdict).toMatchObject(MISMATCH);
    expect((await bytesIn(inner, 'a'))?.equals(winner)).toBe(true);
  });

  it.concurrent('stays, and is said to stay, where the store cannot tell whose it is', async () => {
    const inner = new MemoryStorage('plain', { ifMatch: false, createIfAbsent: false });
    const plainStore = withMethods(inner, {
      put: (key, body, options) => inner.put(key, flipped(body), options),
    });

    const { verdict } = await withTwoGoodOnes(plainStore);

    expect(verdict).toMatchObject({
      ...MISMATCH,
      error: { committed: 'yes', message: expect.stringContaining('still') },
    });
  });
});

describe('all targets', () => {
  it.concurrent('that have failed end the reading at once', async () => {
    const { direct, server } = await setting.source({ size: 512 * MiB, seed: 1 });
    const bad = ['one', 'two'].map((id) => faultyStorage(new MemoryStorage(id), { put: [{ failAfterBytes: MiB }] }));
    const begun = performance.now();

    const { verdicts, content } = await transfer(
      direct,
      bad.map((store) => ({ store, key: 'a' })),
    );

    expect(verdicts).toMatchObject([{ error: { code: 'UNAVAILABLE' } }, { error: { code: 'UNAVAILABLE' } }]);
    expect(content).toBeUndefined();
    expect(performance.now() - begun).toBeLessThan(1000);
    expect(server.requests).toHaveLength(1);
  });

  it.concurrent('but one that stalls: the last one is never LAGGED, only STALLED', async () => {
    const last = faultyStorage(new MemoryStorage('last'), { put: [{ stallAfterBytes: MiB }] });

    const { verdicts } = await transfer(plain(), [{ store: last, key: 'a' }], {
      windowBytes: MiB,
      lagMs: 20,
      targetIdleMs: 200,
    });

    expect(verdicts).toMatchObject([{ ok: false, error: { code: 'STALLED' } }]);
  });
});

describe('what a store is given', () => {
  it.concurrent('throws when the source fails, so that nothing short can be committed', async () => {
    const seen: unknown[] = [];
    const store = withMethods(new MemoryStorage('watcher'), {
      put: async (_key, { chunks }) => {
        try {
          for await (const _ of chunks);
          seen.push('end');
        } catch (error) {
          seen.push(error);
        }
        throw new StorageError('INTERNAL', 'anything');
      },
    });
    const cut: TransferSource = {
      name: 'cut',
      open: () => Promise.resolve({ size: SIZE, checksums: {}, body: Readable.from([VIDEO.subarray(0, MiB)]) }),
    };

    const { verdicts } = await transfer(cut, [{ store, key: 'a' }], { maxAttempts: 1 });

    expect(seen).toMatchObject([{ code: 'SOURCE_TRUNCATED', scope: 'source' }]);
    expect(verdicts).toMatchObject([{ error: { code: 'SOURCE_TRUNCATED' } }]);
  });

  it.concurrent('is never the last byte of something that turns out wrong', async () => {
    let taken = 0;
    const store = withMethods(new MemoryStorage('watcher'), {
      put: async (_key, { chunks }) => {
        for await (const chunk of chunks) taken += chunk.byteLength;
        throw new StorageError('INTERNAL', 'not reached');
      },
    });

    const { verdicts } = await transfer(plain(), [{ store, key: 'a' }], { expectedSha256: '00' });

    expect(verdicts).toMatchObject([{ error: { code: 'CHECKSUM_MISMATCH', scope: 'source' } }]);
    expect(taken).toBe(SIZE - 1);
  });

  it.concurrent('has its checksums at the end, and not before', async () => {
    const inner = new MemoryStorage('asks');
    let given: unknown;
    const store = withMethods(inner, {
      put: async (key: string, body: ByteSource, options?: PutOptions) => {
        expect(() => body.checksums?.()).toThrow('before the bytes had ended');
        const stored = await inner.put(key, body, options);
        given = body.checksums?.();
        return stored;
      },
    });

    const { content } = await transfer(plain(), [{ store, key: 'a' }]);

    expect(given).toEqual(content?.checksums);
  });

  it.concurrent(
    'is made of chunks that stay as they are until the next one is asked for, and are written over afterwards',
    async () => {
      const kept: { chunk: Uint8Array; copy: Buffer }[] = [];
      const changedTooEarly: number[] = [];
      const store = withMethods(new MemoryStorage('keeps'), {
        put: async (_key, { chunks }) => {
          for await (const chunk of chunks) {
            const copy = Buffer.from(chunk);
            await new Promise((soon) => setTimeout(soon, 2));
            if (!copy.equals(chunk)) changedTooEarly.push(kept.length);
            kept.push({ chunk, copy });
          }
          throw new StorageError('INTERNAL', 'enough');
        },
      });

      await transfer(plain(), [{ store, key: 'a' }], { windowBytes: 256 * 1024 });

      expect(changedTooEarly).toEqual([]);
      expect(kept.some(({ chunk, copy }) => !copy.equals(chunk))).toBe(true);
    },
  );
});

function plain(): TransferSource {
  return {
    name: 'plain',
    open: ({ start }) =>
      Promise.resolve({
        size: SIZE,
        checksums: {},
        validator: '"v1"',
        body: Readable.from(
          (function* () {
            for (let at = start; at < SIZE; at += 65_536) yield VIDEO.subarray(at, at + 65_536);
          })(),
        ),
      }),
  };
}

/** Gives its first bytes and then none before `goOn`. */
function pausing(goOn: Promise<void>): TransferSource {
  async function* chunks() {
    yield VIDEO.subarray(0, 50_000);
    await goOn;
    yield VIDEO.subarray(50_000);
  }
  return {
    name: 'pausing',
    open: () => Promise.resolve({ size: SIZE, checksums: {}, body: Readable.from(chunks()) }),
  };
}

/** Breaks half way, once `when` has come, and cannot be continued. */
function cutOnce(when: Promise<void>): TransferSource & { readonly opens: number } {
  async function* first() {
    yield VIDEO.subarray(0, 1_000_000);
    await when;
    throw new StorageError('NETWORK', 'cut');
  }
  let opens = 0;
  return {
    name: 'cut once',
    get opens() {
      return opens;
    },
    open: () => {
      opens += 1;
      return Promise.resolve({ size: SIZE, checksums: {}, body: Readable.from(opens === 1 ? first() : [VIDEO]) });
    },
  };
}

function flipped(body: ByteSource): ByteSource {
  return {
    ...(body.size === undefined ? {} : { size: body.size }),
    chunks: (async function* () {
      let first = true;
      for await (const chunk of body.chunks) {
        const copy = Buffer.from(chunk);
        if (first) copy[100] = (copy[100] ?? 0) ^ 1;
        first = false;
        yield copy;
      }
    })(),
  };
}

function shortened(body: ByteSource): ByteSource {
  return {
    chunks: (async function* () {
      let first = true;
      for await (const chunk of body.chunks) {
        yield first ? chunk.subarray(0, -1) : chunk;
        first = false;
      }
    })(),
  };
}
