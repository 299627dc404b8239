import { Readable } from 'node:stream';
import {
  type ByteSource,
  type CallOptions,
  type ObjectInfo,
  type OpenedObject,
  type OpenOptions,
  type PutOptions,
  StorageError,
  type StoragePlugin,
  type StoredObject,
} from '@paradoxon/storage';
import type { FaultPlan } from './fault-plan.ts';
import { Faults } from './fault-queue.ts';
import { untilAborted } from './until-aborted.ts';

/** A plugin that fails as planned, and knows what of the plan has happened. */
export interface FaultyStorage extends StoragePlugin {
  /** Faults that have not happened yet, as 'put 1', 'put 2', …: a test that expects them all ends with none. */
  pendingFaults(): readonly string[];
}

/**
 * Wraps any plugin so that its calls fail as planned. With an empty plan it behaves as the plugin it wraps.
 *
 * The plan is about the store: a body that fails by itself needs no wrapper. An error that is given as `Error` is
 * rejected with as it is; a code becomes a StorageError that names store, operation and key.
 */
export function faultyStorage(inner: StoragePlugin, plan: FaultPlan): FaultyStorage {
  const faults = new Faults(inner.id, plan);
  return {
    apiVersion: inner.apiVersion,
    kind: inner.kind,
    id: inner.id,
    capabilities: inner.capabilities,
    pendingFaults: () => faults.pending(),
    put: (key, body, options = {}) => put(inner, faults, key, body, options),
    open: (key, options = {}) => open(inner, faults, key, options),
    head: async (key, options = {}) => {
      await faults.next('head', key, options);
      return inner.head(key, options);
    },
    delete: async (key, options = {}) => {
      await faults.next('delete', key, options);
      return inner.delete(key, options);
    },
    resolveUrl: async (key, options = {}) => {
      await faults.next('resolveUrl', key, options);
      return inner.resolveUrl(key, options);
    },
    locate: (key) => inner.locate(key),
    check: async (level, options = {}) => {
      try {
        await faults.next('check', undefined, options);
      } catch (error) {
        return { ok: false, steps: [{ name: 'fault', ok: false, detail: StorageError.from(error).message }] };
      }
      return inner.check(level, options);
    },
    ...(inner.list ? { list: (prefix, options = {}) => listed(inner, faults, prefix, options) } : {}),
    ...(inner.sweepIncomplete
      ? {
          sweepIncomplete: async (olderThan, options = {}) => {
            await faults.next('sweepIncomplete', undefined, options);
            return (await inner.sweepIncomplete?.(olderThan, options)) ?? { removed: 0 };
          },
        }
      : {}),
    ...(inner.close ? { close: async () => inner.close?.() } : {}),
    ...(inner.native ? { native: () => inner.native?.() } : {}),
  };
}

async function put(
  inner: StoragePlugin,
  faults: Faults,
  key: string,
  body: ByteSource,
  options: PutOptions,
): Promise<StoredObject> {
  const step = await faults.next('put', key, options);
  let broken: Error | undefined;
  async function* chunks(): AsyncGenerator<Uint8Array> {
    let left = step?.fault.failAfterBytes ?? step?.fault.stallAfterBytes ?? Infinity;
    for await (const chunk of untilAborted(body.chunks, options.signal, () => faults.aborted('put', options))) {
      const part = chunk.subarray(0, left);
      left -= part.byteLength;
      if (part.byteLength > 0) yield part;
      if (left === 0 && step) {
        step.happened = true;
        if (step.fault.failAfterBytes === undefined) {
          await aborted(options.signal);
          throw faults.aborted('put', options);
        }
        broken = faults.error('put', key, step.fault);
        throw broken;
      }
      await faults.throttle(part.byteLength, 'put', options);
    }
  }
  const stored = await inner
    .put(key, step || faults.slow ? disturbed(body, chunks()) : body, options)
    .catch((error: unknown) => {
      throw broken ?? error;
    });
  if (!step?.fault.commitThenFail) return stored;
  step.happened = true;
  throw faults.error('put', key, { error: 'NETWORK', ...step.fault }, { committed: 'unknown' });
}

function disturbed(body: ByteSource, chunks: AsyncIterable<Uint8Array>): ByteSource {
  return {
    chunks,
    ...(body.size === undefined ? {} : { size: body.size }),
    ...(body.checksums ? { checksums: () => body.checksums?.() ?? {} } : {}),
  };
}

async function open(inner: StoragePlugin, faults: Faults, key: string, options: OpenOptions): Promise<OpenedObject> {
  const step = await faults.next('open', key, options);
  const opened = await inner.open(key, options);
  if (!step && !faults.slow) return opened;
  const { failAfterBytes, stallAfterBytes, corrupt } = step?.fault ?? {};
  const chunks = opened.body[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  let left = failAfterBytes ?? stallAfterBytes ?? Infinity;
  let corrupting = corrupt === true;

  async function read(body: Readable): Promise<void> {
    if (left === 0 && step) {
      step.happened = true;
      // a stall never gives anything again; destroying the body ends it
      if (failAfterBytes !== undefined) throw faults.error('open', key, step.fault);
      return;
    }
    const next = await chunks.next();
    if (next.done) {
      body.push(null);
      return;
    }
    const part = Buffer.from(next.value.subarray(0, left));
    left -= part.byteLength;
    if (corrupting && step) {
      part[0] = (part[0] ?? 0) ^ 1;
      corrupting = false;
      step.happened = true;
    }
    await faults.throttle(part.byteLength, 'open', options);
    body.push(part);
  }

  const body = new Readable({
    // nothing ahead of the reader: what is buffered when a body fails is lost
    highWaterMark: 1,
    read() {
      read(this).catch((error: unknown) => this.destroy(error as Error));
    },
    destroy(error, done) {
      opened.body.destroy();
      done(error);
    },
  });
  // also while nobody reads
  opened.body.once('error', (error) => body.destroy(error));
  return { ...opened, body };
}

async function* listed(
  inner: StoragePlugin,
  faults: Faults,
  prefix: string,
  options: CallOptions,
): AsyncGenerator<ObjectInfo> {
  await faults.next('list', undefined, options);
  if (inner.list) yield* inner.list(prefix, options);
}

/** A source that stalls has nothing else to wait for; without a signal it waits for ever, as planned. */
function aborted(signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) resolve();
    signal?.addEventListener('abort', () => resolve(), { once: true });
  });
}
