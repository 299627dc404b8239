import type { ByteSource } from '../../src/index.ts';

export interface GivenBodyOptions {
  /** Announced size, bytes; none when absent. */
  readonly size?: number;
  /** Lengths of the chunks, taken in turn. */
  readonly lengths?: readonly number[];
  /** Gives so many bytes, and then neither a chunk nor its end. */
  readonly stallAt?: number;
  /** Gives so many bytes, and then throws. */
  readonly failAt?: { readonly bytes: number; readonly error: Error };
  /** Before each chunk, and before the end. */
  readonly pace?: () => Promise<unknown>;
}

/** A body that gives all its chunks in one memory, as it may, and remembers how it was treated. */
export class GivenBody implements ByteSource {
  readonly size?: number;
  readonly chunks: AsyncIterable<Uint8Array>;
  /** Resolves when somebody waits for what will never come. */
  readonly stalled: Promise<void>;
  /** Bytes given so far. */
  given = 0;
  /** It came to its end, threw, or was told that it may stop. */
  released = false;

  constructor(content: Uint8Array, options: GivenBodyOptions = {}) {
    if (options.size !== undefined) this.size = options.size;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.stalled = promise;
    this.chunks = { [Symbol.asyncIterator]: () => this.#iterate(content, options, resolve) };
  }

  #iterate(content: Uint8Array, options: GivenBodyOptions, stalled: () => void): AsyncIterator<Uint8Array> {
    const { lengths = [64], stallAt, failAt, pace } = options;
    const memory = new Uint8Array(Math.max(...lengths));
    const end = Math.min(content.byteLength, stallAt ?? Infinity, failAt?.bytes ?? Infinity);
    let turn = 0;
    const over = (): IteratorResult<Uint8Array> => {
      this.released = true;
      return { done: true, value: undefined };
    };
    return {
      next: async () => {
        // the chunk before this one belongs to the giver again
        memory.fill(0xee);
        await pace?.();
        if (this.released) return over();
        if (this.given >= end) {
          if (failAt) {
            this.released = true;
            throw failAt.error;
          }
          if (stallAt === undefined) return over();
          stalled();
          return new Promise<never>(() => undefined);
        }
        const length = Math.min(lengths[turn % lengths.length] ?? 0, end - this.given);
        turn += 1;
        memory.set(content.subarray(this.given, this.given + length));
        this.given += length;
        return { done: false, value: memory.subarray(0, length) };
      },
      return: () => Promise.resolve(over()),
    };
  }
}

/** Bytes that differ from part to part, so that none can stand for another. */
export function contentOf(bytes: number, seed = 1): Buffer {
  const content = Buffer.alloc(bytes);
  for (let at = 0; at < bytes; at += 1) content[at] = at * 31 + (at >> 8) * 17 + (at >> 16) * 5 + seed * 101;
  return content;
}
