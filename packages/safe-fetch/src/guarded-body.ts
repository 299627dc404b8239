import { Readable } from 'node:stream';
import { FetchError } from './fetch-error.ts';
import { type PaceLimits, SourcePace } from './source-pace.ts';

export interface BodyLimits extends PaceLimits {
  readonly maxBytes: number;
  /** What must come, exactly. */
  readonly expectedBytes?: number;
  /** Only the end of the connection ends this body, so a whole one looks like a cut one: it fails at its end. */
  readonly endUnknown?: boolean;
  /** For messages. */
  readonly url: URL;
}

/**
 * The body of an answer, watched: idle time, minimum rate, size, and a true end. Destroying it closes the connection
 * unless it was read to its end.
 */
export class GuardedBody extends Readable {
  readonly #source: Readable;
  readonly #limits: BodyLimits;
  readonly #pace: SourcePace;
  #bytes = 0;
  /** What the reader is told once it has taken every byte. */
  #lastWord: FetchError | undefined;

  constructor(source: Readable, limits: BodyLimits) {
    super();
    this.#source = source;
    this.#limits = limits;
    this.#pace = new SourcePace(limits, (error) => this.#fail(error.code, error.message));
    // An abort may come before the reader has attached anything, and must not end the process. Nothing gets lost:
    // whoever reads a destroyed stream is told its error.
    this.on('error', () => {});

    source.on('data', (chunk: Buffer) => this.#take(chunk));
    source.on('end', () => this.#finish());
    source.on('error', (error) => this.#broken(error));
  }

  /** Destroying a stream drops what it still holds: an end that fails waits until all of it was taken. */
  override read(size?: number): unknown {
    const chunk: unknown = super.read(size);
    if (this.#lastWord && this.readableLength === 0) process.nextTick(() => this.destroy(this.#lastWord));
    return chunk;
  }

  override _read(): void {
    this.#pace.wait();
    this.#source.resume();
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#pace.stop();
    this.#source.destroy();
    callback(error);
  }

  #take(chunk: Buffer): void {
    const { maxBytes, expectedBytes } = this.#limits;
    this.#bytes += chunk.length;
    if (this.#bytes > maxBytes) return this.#fail('TOO_LARGE', `More than the ${maxBytes} bytes allowed.`);
    if (expectedBytes !== undefined && this.#bytes > expectedBytes) {
      return this.#fail('RANGE_IGNORED', `More than the ${expectedBytes} bytes that were announced.`);
    }
    this.#pace.received(chunk.length);
    if (this.push(chunk)) return;
    this.#pace.hold();
    this.#source.pause();
  }

  #finish(): void {
    this.#pace.stop();
    const { expectedBytes, endUnknown } = this.#limits;
    if (expectedBytes !== undefined && this.#bytes < expectedBytes) {
      return this.#fail('SOURCE_TRUNCATED', `Ended after ${this.#bytes} of ${expectedBytes} bytes.`);
    }
    if (endUnknown) {
      const message = `Ended after ${this.#bytes} bytes, but the server announced no length: this may be a part of the file.`;
      this.#lastWord = new FetchError('SOURCE_TRUNCATED', message, { url: this.#limits.url });
      if (this.readableLength === 0) this.destroy(this.#lastWord);
      return;
    }
    this.push(null);
  }

  #broken(error: Error): void {
    if (error instanceof FetchError) return void this.destroy(error);
    if ('code' in error && error.code === 'UND_ERR_DESTROYED')
      return this.#fail('ABORTED', 'Closed while being read.', error);
    this.#fail('SOURCE_TRUNCATED', `The connection broke after ${this.#bytes} bytes: ${error.message}`, error);
  }

  #fail(code: FetchError['code'], message: string, cause?: Error): void {
    this.destroy(new FetchError(code, message, { url: this.#limits.url, ...(cause ? { cause } : {}) }));
  }
}
