import { addAbortListener } from 'node:events';
import type { Readable } from 'node:stream';
import { type Checksums, StorageError } from '@paradoxon/storage';
import { Mp4Structure } from './mp4-structure.ts';
import { abortedBy, withPatience } from './patience.ts';
import { RetryBudget } from './retry-budget.ts';
import type { OpenedSource, TransferSource } from './source.ts';
import { asSourceError } from './source-error.ts';

export interface ReaderLimits {
  /** Largest source, bytes. */
  readonly maxBytes: number;
  /** No byte, and no answer to an open, for so long: `STALLED`. */
  readonly idleMs: number;
  readonly maxAttempts: number;
  readonly deadline: Date | undefined;
}

/** What the source says of the version that is being read. */
export interface Announced {
  /** Bytes. */
  readonly size?: number;
  readonly checksums: Checksums;
}

/** The version whose bytes were read so far cannot be read to its end: only another reading from byte 0 helps. */
export class StartOver extends Error {
  override readonly name = 'StartOver';
  readonly reason: StorageError;

  constructor(reason: StorageError) {
    super(reason.message, { cause: reason });
    this.reason = reason;
  }
}

/** On a continued reading these say that this version is not to be had from here. */
const VERSION_LOST = new Set(['SOURCE_CHANGED', 'RANGE_IGNORED', 'RANGE_NOT_SATISFIABLE']);

/**
 * Reads a source to its end across broken connections: continues at the byte it has come to, of the very same version, or
 * says that it cannot. Lives as long as the transfer, so that the attempts of all readings count together.
 */
export class ResumingReader {
  readonly #source: TransferSource;
  readonly #limits: ReaderLimits;
  readonly #budget: RetryBudget;
  #attempts = 0;
  #announced: Announced = { checksums: {} };
  #ignoresRanges = false;

  constructor(source: TransferSource, limits: ReaderLimits) {
    this.#source = source;
    this.#limits = limits;
    this.#budget = new RetryBudget(limits.maxAttempts, limits.deadline);
  }

  /** Times the source was opened. */
  get attempts(): number {
    return this.#attempts;
  }

  /** Known once the first chunk is there. */
  get announced(): Announced {
    return this.#announced;
  }

  /**
   * All bytes from byte 0 to the announced end, of one version. A chunk belongs to the source again when the next one is
   * asked for. While none is asked for, nothing is read.
   *
   * @throws StorageError scope 'source', or `ABORTED`; `StartOver` when these bytes cannot be continued
   */
  async *read(signal: AbortSignal): AsyncGenerator<Uint8Array, void, undefined> {
    let position = 0;
    let validator: string | undefined;
    let broken: StorageError | undefined;
    const structure = new Mp4Structure();
    for (;;) {
      if (signal.aborted) throw abortedBy(signal);
      try {
        const opened = await this.#open(position, validator, signal);
        if (position === 0) validator = opened.validator;
        for await (const chunk of this.#chunks(opened.body, signal)) {
          position += chunk.byteLength;
          this.#refuseTooLong(position);
          if (this.#announced.size === undefined) structure.update(chunk);
          yield chunk;
        }
        this.#refuseTruncated(position);
        return;
      } catch (error) {
        if (signal.aborted) throw abortedBy(signal);
        const failure = asSourceError(error, 'NETWORK');
        // every announced byte is here: a connection that breaks afterwards takes nothing away, and there is no more to ask for
        if (position > 0 && position === this.#announced.size) return;
        // a body that ends with its connection looks cut even when it is not: the file itself has to tell
        if (failure.code === 'SOURCE_TRUNCATED' && this.#announced.size === undefined && structure.whole) return;
        const versionLost = position > 0 && VERSION_LOST.has(failure.code);
        if (failure.retry === 'never' && !versionLost) throw failure;
        if (failure.code === 'RANGE_IGNORED') this.#ignoresRanges = true;
        // a range that is refused is no reason to give up: what broke the reading before is
        broken = versionLost && failure.code !== 'SOURCE_CHANGED' ? (broken ?? failure) : failure;
        await this.#waitFor(broken, position, signal);
        if (position > 0 && (versionLost || validator === undefined || this.#ignoresRanges)) {
          throw new StartOver(broken);
        }
      }
    }
  }

  async #open(start: number, validator: string | undefined, signal: AbortSignal): Promise<OpenedSource> {
    this.#attempts += 1;
    const opened = await this.#answerInTime(start, validator, signal);
    try {
      this.#accept(opened, start, validator);
      return opened;
    } catch (error) {
      opened.body.destroy();
      throw error;
    }
  }

  /** Judges what was opened before a byte of it is used. */
  #accept({ size, checksums, validator }: OpenedSource, start: number, wanted: string | undefined): void {
    const { maxBytes } = this.#limits;
    if (size !== undefined && size > maxBytes) {
      throw this.#error('TOO_LARGE', `has ${size} bytes; at most ${maxBytes} are allowed`);
    }
    if (start === 0) {
      this.#announced = { checksums, ...(size === undefined ? {} : { size }) };
      return;
    }
    if (validator !== wanted)
      throw this.#error('SOURCE_CHANGED', 'is another version than the one whose reading began');
    if (size === undefined || size === this.#announced.size) return;
    if (this.#announced.size !== undefined) {
      throw this.#error('SOURCE_CHANGED', `had ${this.#announced.size} bytes and now has ${size}`);
    }
    this.#announced = { ...this.#announced, size };
  }

  async #answerInTime(start: number, validator: string | undefined, signal: AbortSignal): Promise<OpenedSource> {
    const { idleMs } = this.#limits;
    const silence = this.#error('TIMEOUT', `did not answer within ${idleMs} ms`);
    return withPatience(idleMs, silence, signal, async (stop) => {
      const opened = await this.#source.open({
        start,
        ...(validator === undefined ? {} : { validator }),
        signal: stop,
      });
      // a stream may fail at any later time, and then nobody might be reading it
      opened.body.on('error', () => undefined);
      // an answer that comes too late is hung up on
      if (stop.aborted) opened.body.destroy();
      return opened;
    });
  }

  /**
   * The chunks of one connection. The clock of the idle limit runs only while a chunk is being waited for. Does not rely
   * on the body to answer when it is destroyed: one made of a generator that hangs does not.
   */
  async *#chunks(body: Readable, signal: AbortSignal): AsyncGenerator<Uint8Array, void, undefined> {
    let giveUp: ((error: StorageError) => void) | undefined;
    const { idleMs } = this.#limits;
    const timer = setTimeout(() => giveUp?.(this.#error('STALLED', `gave no byte for ${idleMs} ms`)), idleMs);
    const listener = addAbortListener(signal, () => giveUp?.(abortedBy(signal)));
    try {
      const chunks = body[Symbol.asyncIterator]() as AsyncIterator<Uint8Array, undefined>;
      while (!signal.aborted) {
        timer.refresh();
        const { done, value } = await new Promise<IteratorResult<Uint8Array, undefined>>((resolve, reject) => {
          giveUp = reject;
          chunks.next().then(resolve, reject);
        });
        giveUp = undefined;
        if (done) return;
        if (value.byteLength > 0) yield value;
      }
      throw abortedBy(signal);
    } finally {
      clearTimeout(timer);
      listener[Symbol.dispose]();
      body.destroy();
    }
  }

  #refuseTooLong(position: number): void {
    const { size } = this.#announced;
    if (position > this.#limits.maxBytes) {
      throw this.#error('TOO_LARGE', `has more than the allowed ${this.#limits.maxBytes} bytes`);
    }
    if (size !== undefined && position > size) {
      throw this.#error('TOO_LARGE', `announced ${size} bytes and gives more`);
    }
  }

  #refuseTruncated(position: number): void {
    const { size } = this.#announced;
    if (size !== undefined && position < size) {
      throw this.#error('SOURCE_TRUNCATED', `ended after ${position} of ${size} bytes`);
    }
  }

  async #waitFor(failure: StorageError, position: number, signal: AbortSignal): Promise<void> {
    try {
      await this.#budget.spend(failure, position, signal);
    } catch (error) {
      throw signal.aborted ? abortedBy(signal) : error;
    }
  }

  #error(
    code: 'TOO_LARGE' | 'SOURCE_CHANGED' | 'SOURCE_TRUNCATED' | 'STALLED' | 'TIMEOUT',
    what: string,
  ): StorageError {
    return new StorageError(code, `${this.#source.name} ${what}.`, { scope: 'source' });
  }
}
