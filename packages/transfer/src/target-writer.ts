import {
  type ByteSource,
  type Committed,
  type PutOptions,
  StorageError,
  type StorageErrorCode,
  type StoragePlugin,
  type StoredObject,
} from '@paradoxon/storage';
import type { Cursor } from './byte-window.ts';
import { withPatience } from './patience.ts';
import { difference, inspect, isProvenByChecksum, removeOwn } from './stored-copy.ts';
import type { TransferContent, Verdict } from './verdict.ts';
import type { VideoType } from './video-type.ts';

/** How long a store may take to answer an abort, and to clean up. */
const GRACE_MS = 5_000;

export interface TransferTarget {
  readonly store: StoragePlugin;
  /** Or how to make it from what the first bytes turn out to be. */
  readonly key: string | ((video: VideoType) => string);
  readonly cacheControl?: string;
  readonly metadata?: Readonly<Record<string, string>>;
  /** Default false: the object is created only if absent, where the store can do that. */
  readonly overwrite?: boolean;
}

/** What one target is given to write. */
export interface Feed {
  readonly cursor: Cursor;
  readonly video: VideoType;
  /** Bytes, when announced. */
  readonly size: number | undefined;
  /** What was read, once it was read to its end and agreed with everything it was compared with. */
  readonly content: () => TransferContent | undefined;
  /** Settles with the reading. */
  readonly read: Promise<TransferContent>;
  /** The caller's. */
  readonly signal: AbortSignal;
}

/** One target's share of one reading: its put, and the judgement of what that left in the store. */
export class TargetWriter {
  readonly target: TransferTarget;
  readonly cursor: Cursor;
  /** Ticks since the last sign of life; the fan-out counts them. */
  silentTicks = 0;
  readonly #feed: Feed;
  readonly #abort = new AbortController();
  readonly #unanswered = Promise.withResolvers<never>();
  #key: string | undefined;
  #failure: StorageError | undefined;
  #startOver = false;
  #graceTimer: NodeJS.Timeout | undefined;
  #graceOver = false;
  #finished = false;

  constructor(target: TransferTarget, feed: Feed) {
    this.target = target;
    this.cursor = feed.cursor;
    this.#feed = feed;
    if (typeof target.key === 'string') this.#key = target.key;
    // nobody may be waiting for an answer when the grace ends
    this.#unanswered.promise.catch(() => undefined);
  }

  get finished(): boolean {
    return this.#finished;
  }

  /**
   * Writes the copy and judges it.
   * @returns 'start over' when the reading is to be repeated and the store has let go of this one
   */
  async run(): Promise<Verdict | 'start over'> {
    try {
      const stored = await this.#put();
      return await this.#judgeStored(stored);
    } catch (error) {
      return await this.#judgeFailure(error);
    } finally {
      this.#finished = true;
      clearTimeout(this.#graceTimer);
    }
  }

  /** Ends the put: its chunks throw `error`, its signal aborts. Does nothing once there is a verdict. */
  fail(error: StorageError): void {
    if (this.#finished || this.#failure) return;
    this.#failure = error;
    this.cursor.close(error);
    this.#abort.abort(error);
    this.#graceTimer = setTimeout(() => {
      this.#graceOver = true;
      this.#unanswered.reject(error);
    }, GRACE_MS);
  }

  /** As `fail`, but there will be another reading. */
  startOver(reason: StorageError): void {
    this.#startOver ||= !this.#failure;
    this.fail(reason);
  }

  /** An error of this target, in the store's name. */
  error(code: StorageErrorCode, what: string): StorageError {
    const storage = this.target.store.id;
    return new StorageError(code, `Storage "${storage}" ${what}.`, { ...this.#names, scope: 'target' });
  }

  get #names(): { storage: string; operation: string; key?: string } {
    const key = this.#key;
    return { storage: this.target.store.id, operation: 'put', ...(key === undefined ? {} : { key }) };
  }

  get #createsOnly(): boolean {
    return !this.target.overwrite && this.target.store.capabilities.createIfAbsent;
  }

  async #put(): Promise<StoredObject> {
    const { store, key, cacheControl, metadata } = this.target;
    const { video } = this.#feed;
    try {
      this.#key = typeof key === 'string' ? key : key(video);
      const options: PutOptions = {
        signal: this.#abort.signal,
        contentType: video.contentType,
        ...(cacheControl === undefined ? {} : { cacheControl }),
        ...(metadata === undefined ? {} : { metadata }),
        ...(this.#createsOnly ? { ifAbsent: true } : {}),
      };
      return await this.#answered(store.put(this.#key, this.#body(), options));
    } finally {
      // the window waits for nobody who has stopped reading
      this.cursor.close();
    }
  }

  #body(): ByteSource {
    const { cursor, size, content } = this.#feed;
    let begun = false;
    return {
      ...(size === undefined ? {} : { size }),
      chunks: {
        [Symbol.asyncIterator]: () => {
          if (begun) throw this.error('INTERNAL', 'asked for the bytes a second time, and they pass by only once');
          begun = true;
          return this.#chunks(cursor);
        },
      },
      checksums: () => {
        const read = content();
        if (read) return read.checksums;
        throw this.error('INTERNAL', 'asked for the checksums before the bytes had ended');
      },
    };
  }

  async *#chunks(cursor: Cursor): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      for (;;) {
        this.#alive();
        const chunk = await cursor.next();
        if (chunk === undefined) return;
        yield chunk;
      }
    } finally {
      cursor.close();
    }
  }

  readonly #alive = (): void => {
    this.silentTicks = 0;
  };

  /** The answer, but at most until the grace after an abort is over. */
  #answered<T>(answer: Promise<T>): Promise<T> {
    return Promise.race([answer, this.#unanswered.promise]);
  }

  async #judgeStored(stored: StoredObject): Promise<Verdict> {
    const read = this.#feed.content();
    if (!read) return this.#remove(stored, 'it was done before the bytes had ended');
    let differs = difference(read, stored);
    if (differs === undefined && !isProvenByChecksum(read, stored)) {
      try {
        const { store } = this.target;
        differs = difference(read, await this.#answered(store.head(stored.key, { signal: this.#abort.signal })));
      } catch (error) {
        return this.#failed(error, 'yes');
      }
    }
    return differs === undefined ? this.#ok(stored, false) : this.#remove(stored, differs);
  }

  async #remove(stored: StoredObject, differs: string): Promise<Verdict> {
    const { store } = this.target;
    // not stopped by the caller's abort: what is wrong must not stay
    const gone = await withPatience(GRACE_MS, this.error('TIMEOUT', 'did not delete in time'), undefined, (signal) =>
      removeOwn(store, stored, this.#createsOnly, signal),
    ).catch(() => false);
    const fate = gone ? 'The copy was deleted' : 'The copy could not be deleted and is still there';
    const mismatch = this.error('CHECKSUM_MISMATCH', `has not stored what was read: ${differs}. ${fate}`);
    return this.#failed(mismatch, gone ? 'no' : 'yes');
  }

  async #judgeFailure(thrown: unknown): Promise<Verdict | 'start over'> {
    if (this.#again) return 'start over';
    if (this.#graceOver) return this.#judgeLostAnswer(thrown, 'unknown');
    const error = this.#own(thrown);
    if (error.committed !== 'no') return this.#judgeLostAnswer(error, error.committed);
    if (this.#failure || error.code !== 'ALREADY_EXISTS') return this.#failed(error, 'no');
    try {
      return await this.#judgeExisting();
    } catch (failure) {
      return this.#again ? 'start over' : this.#failed(failure, 'no');
    }
  }

  get #again(): boolean {
    return this.#startOver && !this.#graceOver;
  }

  /** Somebody was first: another process, or an attempt whose answer was lost. The same bytes are as good as ours. */
  async #judgeExisting(): Promise<Verdict> {
    const { store } = this.target;
    const read = await this.#answered(this.#feed.read);
    const inspected = inspect(store, this.#names.key ?? '', read, this.#abort.signal, this.#alive);
    const { found, differs } = await this.#answered(inspected);
    if (differs === undefined) return this.#ok(found, true);
    return this.#failed(this.error('ALREADY_EXISTS', `holds another object under this key: ${differs}`), 'no');
  }

  /** The store may have committed and could not say so. */
  async #judgeLostAnswer(error: unknown, committed: Committed): Promise<Verdict> {
    const { store } = this.target;
    const read = this.#feed.content();
    const key = this.#key;
    if (!read || key === undefined || this.#feed.signal.aborted) return this.#failed(error, committed);
    try {
      const silence = this.error('TIMEOUT', 'did not say in time what it holds');
      const { found, differs } = await withPatience(GRACE_MS, silence, this.#feed.signal, (signal, alive) =>
        inspect(store, key, read, signal, alive),
      );
      return differs === undefined ? this.#ok(found, false) : this.#failed(error, committed);
    } catch (failure) {
      // what is absent now may still come from a put that has not let go
      const isAbsent = !this.#graceOver && StorageError.is(failure) && failure.code === 'NOT_FOUND';
      return this.#failed(error, isAbsent ? 'no' : committed);
    }
  }

  #ok(stored: StoredObject, reused: boolean): Verdict {
    return { ok: true, store: this.target.store.id, key: stored.key, stored, reused };
  }

  /** Why it was ended counts for more than what the put said to that. */
  #failed(thrown: unknown, committed: Committed): Verdict {
    const reason = this.#failure ?? this.#own(thrown);
    const { storage, key } = this.#names;
    const error = reason.committed === committed ? reason : withCommitted(reason, committed, this.#names);
    return { ok: false, store: storage, ...(key === undefined ? {} : { key }), error };
  }

  #own(thrown: unknown): StorageError {
    return StorageError.from(thrown, { scope: 'target', ...this.#names });
  }
}

function withCommitted(
  error: StorageError,
  committed: Committed,
  names: { storage: string; operation: string; key?: string },
): StorageError {
  const left = committed === 'no' ? '' : ` Storage "${names.storage}" may hold a copy that nobody has verified.`;
  return new StorageError(error.code, error.message + left, {
    ...names,
    scope: error.scope,
    retry: error.retry,
    ...(error.retryAfterMs === undefined ? {} : { retryAfterMs: error.retryAfterMs }),
    ...(error.httpStatus === undefined ? {} : { httpStatus: error.httpStatus }),
    ...(error.requestId === undefined ? {} : { requestId: error.requestId }),
    committed,
    cause: error,
  });
}
