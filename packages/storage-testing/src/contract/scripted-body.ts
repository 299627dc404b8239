import type { ByteSource, Checksums } from '@paradoxon/storage';

/**
 * One step of a body: bytes to give; an error to throw; something to do before the next step (also before the end);
 * or nothing more, ever.
 */
export type BodyStep = Uint8Array | Error | (() => void | Promise<void>) | 'stall';

/** A body that does what a rule wants, and remembers how it was treated. */
export class ScriptedBody implements ByteSource {
  readonly size?: number;
  readonly checksums?: () => Checksums;
  readonly chunks: AsyncIterable<Uint8Array>;
  /** Resolves when the store has asked for what will never come. */
  readonly stalled: Promise<void>;
  #iterators = 0;
  #ended = 0;

  constructor(
    steps: Iterable<BodyStep>,
    options: { readonly size?: number; readonly checksums?: (ended: boolean) => Checksums } = {},
  ) {
    const { checksums } = options;
    if (options.size !== undefined) this.size = options.size;
    if (checksums) this.checksums = () => checksums(this.closed);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.stalled = promise;
    this.chunks = { [Symbol.asyncIterator]: () => this.#iterate(steps, resolve) };
  }

  /** Whether the store has asked for bytes at all. */
  get opened(): boolean {
    return this.#iterators > 0;
  }

  /** Every iterator that the store took has come to its end, or was told with `return()` that it may stop. */
  get closed(): boolean {
    return this.#ended >= this.#iterators;
  }

  #iterate(steps: Iterable<BodyStep>, stalled: () => void): AsyncIterator<Uint8Array> {
    const script = steps[Symbol.iterator]();
    let over = false;
    this.#iterators += 1;
    const end = (): IteratorResult<Uint8Array> => {
      if (!over) this.#ended += 1;
      over = true;
      return { done: true, value: undefined };
    };
    return {
      next: async () => {
        while (!over) {
          const step = script.next();
          if (step.done) return end();
          if (step.value === 'stall') {
            stalled();
            return new Promise<never>(() => undefined);
          }
          if (step.value instanceof Error) {
            end();
            throw step.value;
          }
          if (typeof step.value !== 'function') return { done: false, value: step.value };
          await step.value();
        }
        return end();
      },
      return: () => Promise.resolve(end()),
    };
  }
}

/** Cuts bytes into chunks; the lengths are taken in turn. */
export function* inChunks(bytes: Uint8Array, ...lengths: readonly number[]): Generator<Uint8Array> {
  let turn = 0;
  for (let at = 0; at < bytes.byteLength;) {
    const length = lengths[turn % lengths.length] ?? bytes.byteLength;
    yield bytes.subarray(at, at + length);
    at += length;
    turn += 1;
  }
}
