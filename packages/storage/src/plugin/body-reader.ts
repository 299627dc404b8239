import { Readable } from 'node:stream';
import { StorageError } from '../storage-error.ts';
import type { ByteSource } from '../storage-plugin.ts';
import { assertNotAborted, untilAborted } from './aborted.ts';

/**
 * Reads a body once: held to its announced size, stopped at once by an abort even while the source stalls, and closed
 * whatever happens. Remembers what the source itself threw, because that goes to the caller unchanged.
 */
export class BodyReader {
  readonly #body: ByteSource;
  readonly #signal: AbortSignal | undefined;
  #iterator: AsyncIterator<Uint8Array> | undefined;
  #ended = false;
  #thrown: { readonly error: unknown } | undefined;

  constructor(body: ByteSource, signal: AbortSignal | undefined) {
    this.#body = body;
    this.#signal = signal;
  }

  /** @throws StorageError `SOURCE_TRUNCATED`, `TOO_LARGE`, `ABORTED`, or what the source threw */
  async *chunks(): AsyncGenerator<Uint8Array> {
    const { size } = this.#body;
    let bytes = 0;
    this.#iterator = this.#body.chunks[Symbol.asyncIterator]();
    for (;;) {
      const next = await this.#next(this.#iterator);
      if (next.done) break;
      bytes += next.value.byteLength;
      if (size !== undefined && bytes > size) throw wrongSize('TOO_LARGE', `goes on after its ${size} bytes`);
      yield next.value;
    }
    if (size !== undefined && bytes < size) throw wrongSize('SOURCE_TRUNCATED', `ended at ${bytes} of ${size} bytes`);
  }

  /** Whether this is the error that came out of the source. */
  threw(error: unknown): boolean {
    return this.#thrown !== undefined && this.#thrown.error === error;
  }

  /** Releases the source; does nothing once it has ended. Does not wait: a stalled generator never answers `return()`. */
  close(): void {
    if (this.#ended) return;
    this.#ended = true;
    const { chunks } = this.#body;
    const iterator = this.#iterator ?? chunks[Symbol.asyncIterator]();
    // the caller is being told why the write failed: a second complaint of the source adds nothing
    iterator.return?.().catch(() => undefined);
    // a stream whose reading never began is not destroyed by its iterator
    if (chunks instanceof Readable) chunks.destroy();
  }

  async #next(iterator: AsyncIterator<Uint8Array>): Promise<IteratorResult<Uint8Array>> {
    assertNotAborted(this.#signal);
    const result = await untilAborted(this.#ask(iterator), this.#signal);
    if (result.done) this.#ended = true;
    return result;
  }

  async #ask(iterator: AsyncIterator<Uint8Array>): Promise<IteratorResult<Uint8Array>> {
    try {
      return await iterator.next();
    } catch (error) {
      this.#ended = true;
      this.#thrown = { error };
      throw error;
    }
  }
}

function wrongSize(code: 'TOO_LARGE' | 'SOURCE_TRUNCATED', what: string): StorageError {
  return new StorageError(code, `The body ${what}.`, { scope: 'source' });
}
