import { Readable } from 'node:stream';
import { describe, expect, it } from '@jest/globals';
import { type ByteSource, StorageError } from '@paradoxon/storage';
import { faultyStorage, MemoryStorage } from '../src/index.ts';

const BYTES = Buffer.alloc(100_000, 'film ');

const body = (bytes: Buffer = BYTES): ByteSource => ({
  size: bytes.byteLength,
  chunks: Readable.from(
    Array.from({ length: Math.ceil(bytes.byteLength / 10_000) }, (_, n) =>
      bytes.subarray(n * 10_000, (n + 1) * 10_000),
    ),
  ),
});

/** Everything that comes out of a body, and the error that ended it. */
async function drain(stream: Readable): Promise<{ bytes: Buffer; error?: unknown }> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) chunks.push(chunk);
    return { bytes: Buffer.concat(chunks) };
  } catch (error) {
    return { bytes: Buffer.concat(chunks), error };
  }
}

describe('faulty calls', () => {
  it('reject in the order of the plan, then pass', async () => {
    const cause = new Error('socket hang up');
    const store = faultyStorage(new MemoryStorage('disk'), {
      head: [{ error: 'RATE_LIMITED' }, { error: cause }, {}],
    });
    await store.put('film.mp4', body());

    await expect(store.head('film.mp4')).rejects.toMatchObject({
      code: 'RATE_LIMITED',
      storage: 'disk',
      operation: 'head',
      key: 'film.mp4',
    });
    await expect(store.head('film.mp4')).rejects.toBe(cause);
    expect(store.pendingFaults()).toEqual(['head 3']);
    await expect(store.head('film.mp4')).resolves.toMatchObject({ size: BYTES.byteLength });
    await expect(store.head('film.mp4')).resolves.toMatchObject({ size: BYTES.byteLength });
    expect(store.pendingFaults()).toEqual([]);
  });

  it('reject in every method', async () => {
    const error = 'PERMISSION_DENIED';
    const store = faultyStorage(new MemoryStorage(), {
      put: [{ error }],
      open: [{ error }],
      delete: [{ error }],
      resolveUrl: [{ error }],
      list: [{ error }],
      sweepIncomplete: [{ error }],
      check: [{ error }],
    });

    await expect(store.put('a', body())).rejects.toMatchObject({ code: error });
    await expect(store.open('a')).rejects.toMatchObject({ code: error });
    await expect(store.delete('a')).rejects.toMatchObject({ code: error });
    await expect(store.resolveUrl('a')).rejects.toMatchObject({ code: error });
    await expect(Readable.from(store.list?.('') ?? []).toArray()).rejects.toMatchObject({ code: error });
    await expect(store.sweepIncomplete?.(new Date())).rejects.toMatchObject({ code: error });
    await expect(store.check('reach')).resolves.toMatchObject({ ok: false });
    expect(store.pendingFaults()).toEqual([]);
  });

  it('are late, and can be aborted meanwhile', async () => {
    const store = faultyStorage(new MemoryStorage(), {
      head: [{ delayMs: 100, error: 'UNAVAILABLE' }, { delayMs: 60_000 }],
    });
    const began = performance.now();

    await expect(store.head('a')).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(performance.now() - began).toBeGreaterThanOrEqual(95);
    await expect(store.head('a', { signal: AbortSignal.timeout(20) })).rejects.toMatchObject({ code: 'ABORTED' });
  });
});

describe('a faulty put', () => {
  it('fails where planned, leaves nothing, and closes its source', async () => {
    const inner = new MemoryStorage();
    const store = faultyStorage(inner, { put: [{ failAfterBytes: 25_000, error: 'QUOTA_EXCEEDED' }] });
    const source = body();

    await expect(store.put('film.mp4', source)).rejects.toMatchObject({ code: 'QUOTA_EXCEEDED', committed: 'no' });

    expect(inner.leftovers()).toEqual([]);
    expect((source.chunks as Readable).destroyed).toBe(true);
    expect(store.pendingFaults()).toEqual([]);
  });

  it('has not happened when the body was shorter', async () => {
    const store = faultyStorage(new MemoryStorage(), { put: [{ failAfterBytes: 1_000_000 }] });

    await store.put('film.mp4', body());

    expect(store.pendingFaults()).toEqual(['put 1']);
  });

  it('stalls until it is aborted', async () => {
    const inner = new MemoryStorage();
    const store = faultyStorage(inner, { put: [{ stallAfterBytes: 25_000 }] });

    const put = store.put('film.mp4', body(), { signal: AbortSignal.timeout(50) });

    await expect(put).rejects.toMatchObject({ code: 'ABORTED' });
    expect(inner.leftovers()).toEqual([]);
    expect(store.pendingFaults()).toEqual([]);
  });

  it('commits, and loses the answer', async () => {
    const store = faultyStorage(new MemoryStorage('disk'), { put: [{ commitThenFail: true }] });

    await expect(store.put('film.mp4', body())).rejects.toMatchObject({ code: 'NETWORK', committed: 'unknown' });

    await expect(store.head('film.mp4')).resolves.toMatchObject({ size: BYTES.byteLength });
  });

  it('does not hide what the body itself threw', async () => {
    const broke = new Error('the source broke');
    const store = faultyStorage(new MemoryStorage(), { put: [{ failAfterBytes: 90_000 }] });
    async function* chunks(): AsyncGenerator<Buffer> {
      yield Buffer.alloc(10);
      await Promise.reject(broke);
    }

    await expect(store.put('film.mp4', { chunks: chunks() })).rejects.toBe(broke);
  });
});

describe('a faulty open', () => {
  async function opened(fault: NonNullable<Parameters<typeof faultyStorage>[1]['open']>[number]) {
    const store = faultyStorage(new MemoryStorage(), { open: [fault] });
    await store.put('film.mp4', body());
    return { store, body: (await store.open('film.mp4')).body };
  }

  it('fails where planned', async () => {
    const { store, body } = await opened({ failAfterBytes: 25_000 });

    const { bytes, error } = await drain(body);

    expect(bytes.equals(BYTES.subarray(0, 25_000))).toBe(true);
    expect(StorageError.is(error) && error.code).toBe('UNAVAILABLE');
    expect(store.pendingFaults()).toEqual([]);
  });

  it('stalls until it is destroyed', async () => {
    const { body } = await opened({ stallAfterBytes: 25_000 });
    let bytes = 0;
    body.on('data', (chunk: Buffer) => (bytes += chunk.byteLength));

    await new Promise((later) => setTimeout(later, 100));
    const closed = new Promise((resolve) => body.once('close', resolve));
    body.destroy();

    await closed;
    expect(bytes).toBe(25_000);
  });

  it('serves one wrong bit', async () => {
    const { body } = await opened({ corrupt: true });

    const { bytes } = await drain(body);

    expect(bytes).toHaveLength(BYTES.byteLength);
    expect([...bytes.keys()].filter((at) => bytes[at] !== BYTES[at])).toEqual([0]);
  });
});

it('throttles bodies in both directions', async () => {
  const store = faultyStorage(new MemoryStorage(), { throttleBytesPerSecond: 1_000_000 });

  const began = performance.now();
  await store.put('film.mp4', body());
  const stored = performance.now();
  const { bytes } = await drain((await store.open('film.mp4')).body);
  const read = performance.now();

  expect(bytes.equals(BYTES)).toBe(true);
  expect(stored - began).toBeGreaterThanOrEqual(95);
  expect(read - stored).toBeGreaterThanOrEqual(95);
});

it('has the optional methods of what it wraps, and no others', async () => {
  let closed = 0;
  class Client extends MemoryStorage {
    close(): Promise<void> {
      closed += 1;
      return Promise.resolve();
    }
    native(): string {
      return 'sdk';
    }
  }
  const rich = faultyStorage(new Client(), {});
  const poor = faultyStorage(new MemoryStorage('m', { list: false, sweepIncomplete: false }), {});

  await rich.close?.();

  expect([closed, rich.native?.()]).toEqual([1, 'sdk']);
  for (const name of ['list', 'sweepIncomplete', 'close', 'native']) expect(poor).not.toHaveProperty(name);
});
