import { getEventListeners } from 'node:events';
import { afterEach, describe, expect, it } from '@jest/globals';
import { StorageError } from '@paradoxon/storage';
import { faultyStorage, MemoryStorage } from '@paradoxon/storage-testing';
import { transfer, type TransferResult } from '../src/index.ts';
import { Setting, withMethods } from './fixtures/setting.ts';
import { mp4 } from './fixtures/video-bytes.ts';

const MiB = 1024 ** 2;
const SIZE = 2 * MiB;
const setting = new Setting();
afterEach(() => setting.end());

const ABORTED = { ok: false, error: { code: 'ABORTED', scope: 'local', committed: 'no' } };

describe('an abort by the caller', () => {
  it('before the transfer opens nothing', async () => {
    const { direct, server } = await setting.source(mp4(SIZE));
    const store = new MemoryStorage();

    const result = await transfer(direct, [{ store, key: 'a' }], { signal: AbortSignal.abort() });

    expect(result).toMatchObject({ verdicts: [{ ...ABORTED, store: 'memory', key: 'a' }], attempts: 0 });
    expect(server.requests).toEqual([]);
  });

  it.each([
    { title: 'while the source does not answer', faults: { stallAfterBytes: 0 } },
    { title: 'while the first bytes are awaited', faults: { stallAfterBytes: 1000 } },
    { title: 'while the source is silent half way', faults: { stallAfterBytes: MiB } },
    { title: 'while bytes are coming', faults: { bytesPerSecond: MiB } },
  ])('$title settles at once, leaves nothing and closes the connection', async ({ faults }) => {
    const { throughProxy, proxy } = await setting.source(mp4(SIZE));
    proxy.inject(faults);
    const stores = [new MemoryStorage('one'), new MemoryStorage('two')];
    const local = await setting.local();

    const { result, ms } = await abortAfter(100, (signal) =>
      transfer(
        throughProxy,
        [...stores, local].map((store) => ({ store, key: 'a' })),
        { signal, sourceIdleMs: 5000 },
      ),
    );

    expect(result.verdicts).toMatchObject([ABORTED, ABORTED, ABORTED]);
    expect(ms).toBeLessThan(300);
    expect(stores.flatMap((store) => store.leftovers())).toEqual([]);
    await expect(local.head('a')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    const passed = proxy.bytesPassed;
    await new Promise((later) => setTimeout(later, 50));
    expect(proxy.bytesPassed - passed).toBeLessThan(128 * 1024);
  });

  it('while waiting for the next attempt settles at once', async () => {
    const { direct, server, name } = await setting.source(mp4(SIZE));
    server.fail(name, [{ status: 503, headers: { 'retry-after': '30' } }]);

    const { result, ms } = await abortAfter(50, (signal) =>
      transfer(direct, [{ store: new MemoryStorage(), key: 'a' }], { signal }),
    );

    expect(result.verdicts).toMatchObject([ABORTED]);
    expect(ms).toBeLessThan(200);
  });

  it('while a store is held up settles at once', async () => {
    const { direct } = await setting.source(mp4(SIZE));
    const inner = new MemoryStorage('slow');
    const slow = faultyStorage(inner, { put: [{ stallAfterBytes: MiB }] });

    const { result, ms } = await abortAfter(50, (signal) =>
      transfer(direct, [{ store: slow, key: 'a' }], { signal, windowBytes: MiB }),
    );

    expect(result.verdicts).toMatchObject([ABORTED]);
    expect(ms).toBeLessThan(200);
    expect(inner.leftovers()).toEqual([]);
  });

  it('while the store is asked leaves what one target has finished', async () => {
    const { direct } = await setting.source(mp4(SIZE));
    const done = new MemoryStorage('done');
    const inner = new MemoryStorage('asked', { checksums: [] });
    const isAsked = Promise.withResolvers<void>();
    const asked = withMethods(inner, {
      head: (_key, { signal } = {}) =>
        new Promise((_, reject) => {
          signal?.addEventListener('abort', () => reject(new StorageError('ABORTED', 'aborted', { scope: 'local' })));
          isAsked.resolve();
        }),
    });

    const { result } = await abortAfter(isAsked.promise, (signal) =>
      transfer(
        direct,
        [done, asked].map((store) => ({ store, key: 'a' })),
        { signal },
      ),
    );

    expect(result.verdicts).toMatchObject([
      { ok: true, store: 'done' },
      { ok: false, store: 'asked', error: { code: 'ABORTED', committed: 'yes' } },
    ]);
    expect(result.content).toMatchObject({ size: SIZE });
  });

  it('that a store answers by committing all the same is judged by what it holds', async () => {
    const { direct } = await setting.source(mp4(SIZE));
    const inner = new MemoryStorage('deaf');
    const isStored = Promise.withResolvers<void>();
    const deaf = withMethods(inner, {
      put: async (key, body) => {
        const stored = await inner.put(key, body);
        isStored.resolve();
        await new Promise((later) => setTimeout(later, 100));
        return stored;
      },
    });

    const { result } = await abortAfter(isStored.promise, (signal) =>
      transfer(direct, [{ store: deaf, key: 'a' }], { signal }),
    );

    expect(result.verdicts).toMatchObject([{ ok: true, stored: { size: SIZE } }]);
  });

  it('after the end changes nothing', async () => {
    const { direct } = await setting.source(mp4(SIZE));
    const store = new MemoryStorage();
    const abort = new AbortController();

    const { verdicts } = await transfer(direct, [{ store, key: 'a' }], { signal: abort.signal });
    abort.abort();

    expect(verdicts).toMatchObject([{ ok: true }]);
    expect(await store.head('a')).toMatchObject({ size: SIZE });
  });

  it('leaves no listener on a signal that serves many transfers', async () => {
    const { direct } = await setting.source(mp4(10_000));
    const { signal } = new AbortController();

    for (const key of ['a', 'b', 'c']) await transfer(direct, [{ store: new MemoryStorage(), key }], { signal });

    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });
});

async function abortAfter(
  when: number | Promise<void>,
  run: (signal: AbortSignal) => Promise<TransferResult>,
): Promise<{ result: TransferResult; /** from the abort to the result */ ms: number }> {
  const abort = new AbortController();
  const running = run(abort.signal);
  await (typeof when === 'number' ? new Promise((later) => setTimeout(later, when)) : when);
  const begun = performance.now();
  abort.abort();
  return { result: await running, ms: performance.now() - begun };
}
