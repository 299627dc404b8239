import { addAbortListener } from 'node:events';
import { StorageError } from '@paradoxon/storage';
import { checksumDifference, comparedAlgorithm, ContentHash } from './content-hash.ts';
import { FanOut } from './fan-out.ts';
import { abortedBy } from './patience.ts';
import { reportProgress, type TransferProgress } from './progress.ts';
import { ResumingReader, StartOver } from './resuming-reader.ts';
import type { TransferSource } from './source.ts';
import type { TargetWriter, TransferTarget } from './target-writer.ts';
import type { TransferContent, Verdict } from './verdict.ts';
import { SNIFFED_BYTES, sniffVideo, type VideoType } from './video-type.ts';

const MiB = 1024 ** 2;

export interface TransferOptions {
  /** Ends the transfer: every target without a verdict gets `ABORTED`. */
  readonly signal?: AbortSignal;
  /** Largest source, bytes, announced or counted. Default 2 GiB. */
  readonly maxBytes?: number;
  /** How far the fastest target may be ahead of the slowest, and the memory that takes. Default 16 MiB. */
  readonly windowBytes?: number;
  /** A target that takes no byte for so long while others wait for it is let go. Default 30,000. */
  readonly lagMs?: number;
  /** A source that gives no byte for so long has failed. Default 60,000. */
  readonly sourceIdleMs?: number;
  /**
   * A target that takes no byte for so long has failed; it gets twice as long to finish after the last one. Default 180,000:
   * a store that sends parts of 8 MiB takes nothing until one is sent, and may be slow; whether bytes move it knows itself.
   */
  readonly targetIdleMs?: number;
  /** Failures of the source in a row, without a byte of progress, that end the transfer. Default 5. */
  readonly maxAttempts?: number;
  /** When the source dies: no wait between two attempts reaches behind it. It does not end a reading that runs. */
  readonly deadline?: Date;
  /** What the bytes must hash to, hex. */
  readonly expectedSha256?: string;
  /** Called at most every 100 ms, and at the end. */
  readonly onProgress?: (progress: TransferProgress) => void;
}

export interface TransferResult {
  /** What was read, when it was read to its end. */
  readonly content?: TransferContent;
  /** One per target, same order. */
  readonly verdicts: readonly Verdict[];
  /** Times the source was opened. */
  readonly attempts: number;
}

const DEFAULTS = {
  maxBytes: 2048 * MiB,
  windowBytes: 16 * MiB,
  lagMs: 30_000,
  sourceIdleMs: 60_000,
  targetIdleMs: 180_000,
  maxAttempts: 5,
};

/**
 * Reads a source once and stores it in every target. Nothing touches the disk; memory is bounded by `windowBytes`.
 *
 * What goes wrong with source or targets is told by the verdicts: each target either holds exactly the bytes that were
 * read, proven by the store's own answer, or nothing, or the error's `committed` says what is not known.
 *
 * @throws TypeError without targets, or with one target twice
 */
export async function transfer(
  source: TransferSource,
  targets: readonly TransferTarget[],
  options: TransferOptions = {},
): Promise<TransferResult> {
  assertTargets(targets);
  return new Transfer(source, targets, options).run();
}

function assertTargets(targets: readonly TransferTarget[]): void {
  if (targets.length === 0) throw new TypeError('transfer() needs at least one target.');
  targets.forEach(({ store, key }, index) => {
    if (targets.slice(0, index).some((other) => other.store.id === store.id && other.key === key)) {
      throw new TypeError(`transfer() has storage "${store.id}" twice with the same key.`);
    }
  });
}

/** One target, and how far it has come. */
interface Share {
  readonly target: TransferTarget;
  /** Of the last reading. */
  writer: TargetWriter | undefined;
  verdict: Verdict | undefined;
}

class Transfer {
  readonly #source: TransferSource;
  readonly #shares: readonly Share[];
  readonly #options: TransferOptions & typeof DEFAULTS;
  readonly #reader: ResumingReader;
  #bytesRead = 0;
  #content: TransferContent | undefined;

  constructor(source: TransferSource, targets: readonly TransferTarget[], options: TransferOptions) {
    this.#source = source;
    this.#shares = targets.map((target) => ({ target, writer: undefined, verdict: undefined }));
    this.#options = { ...DEFAULTS, ...options };
    const { maxBytes, sourceIdleMs: idleMs, maxAttempts, deadline } = this.#options;
    this.#reader = new ResumingReader(source, { maxBytes, idleMs, maxAttempts, deadline });
  }

  async run(): Promise<TransferResult> {
    const { signal, onProgress } = this.#options;
    // ends with the caller's signal, or with a progress callback that throws
    const stop = new AbortController();
    const listener = signal && addAbortListener(signal, () => stop.abort(abortedBy(signal)));
    const failed = (error: unknown): void => stop.abort(StorageError.from(error, { scope: 'local' }));
    const lastReport = onProgress && reportProgress(() => this.#progress(), onProgress, failed);
    try {
      if (signal?.aborted) this.#failRest(abortedBy(signal));
      while (this.#pending.length > 0) await this.#readOnce(stop.signal);
    } finally {
      listener?.[Symbol.dispose]();
      lastReport?.();
    }
    return {
      ...(this.#content ? { content: this.#content } : {}),
      verdicts: this.#shares.flatMap(({ verdict }) => verdict ?? []),
      attempts: this.#reader.attempts,
    };
  }

  get #pending(): Share[] {
    return this.#shares.filter(({ verdict }) => verdict === undefined);
  }

  /** One reading from byte 0 for all targets without a verdict. Those that are still without one need another. */
  async #readOnce(signal: AbortSignal): Promise<void> {
    const reading = new AbortController();
    const chunks = this.#reader.read(AbortSignal.any([signal, reading.signal]));
    this.#bytesRead = 0;
    try {
      const firstBytes = await takeFirst(chunks);
      const video = await sniffVideo(firstBytes, this.#source.name);
      await this.#distribute(firstBytes, chunks, video, signal, () => reading.abort());
    } catch (error) {
      // before a target was given anything there is nothing to begin again
      if (!(error instanceof StartOver)) this.#failRest(StorageError.from(error, { scope: 'local' }));
    } finally {
      reading.abort();
      await chunks.return();
    }
  }

  async #distribute(
    firstBytes: Uint8Array,
    chunks: AsyncIterable<Uint8Array>,
    video: VideoType,
    signal: AbortSignal,
    nobodyIsLeft: () => void,
  ): Promise<void> {
    const pending = this.#pending;
    const { size, checksums } = this.#reader.announced;
    const targets = pending.map(({ target }) => target);
    const fanOut = new FanOut(targets, video, size, this.#options, signal);
    for (const [index, share] of pending.entries()) share.writer = fanOut.writers[index];
    const listener = addAbortListener(signal, () => fanOut.fail(abortedBy(signal)));
    const outcomes = fanOut.run().finally(nobodyIsLeft);
    try {
      const compared = comparedAlgorithm(checksums);
      const stores = targets.flatMap(({ store }) => store.capabilities.checksums);
      const hash = new ContentHash([...stores, ...(compared ? [compared] : [])]);
      await this.#pour(firstBytes, hash, fanOut);
      for await (const chunk of chunks) await this.#pour(chunk, hash, fanOut);
      this.#content = this.#compared(hash, video);
      fanOut.finish(this.#content);
    } catch (error) {
      if (error instanceof StartOver) fanOut.startOver(error.reason);
      else fanOut.fail(StorageError.from(error, { scope: 'local' }));
    }
    for (const [index, outcome] of (await outcomes).entries()) {
      const share = pending[index];
      if (share && outcome !== 'start over') share.verdict = outcome;
    }
    listener[Symbol.dispose]();
  }

  async #pour(chunk: Uint8Array, hash: ContentHash, fanOut: FanOut): Promise<void> {
    hash.update(chunk);
    await fanOut.write(chunk);
    this.#bytesRead = hash.size;
  }

  /** @throws StorageError `CHECKSUM_MISMATCH` when what was read is not what was announced or expected */
  #compared(hash: ContentHash, video: VideoType): TransferContent {
    const checksums = hash.digest();
    const { expectedSha256 } = this.#options;
    const differs =
      checksumDifference(checksums, this.#reader.announced.checksums) ??
      (expectedSha256 === undefined ? undefined : checksumDifference(checksums, { sha256: expectedSha256 }));
    if (differs === undefined) return { size: hash.size, sha256: checksums.sha256, checksums, video };
    throw new StorageError('CHECKSUM_MISMATCH', `${this.#source.name} is not what it should be: ${differs}.`, {
      scope: 'source',
    });
  }

  #failRest(error: StorageError): void {
    for (const share of this.#pending) {
      const { store, key } = share.target;
      share.verdict = { ok: false, store: store.id, ...(typeof key === 'string' ? { key } : {}), error };
    }
  }

  #progress(): TransferProgress {
    const { size } = this.#reader.announced;
    return {
      bytesRead: this.#bytesRead,
      ...(size === undefined ? {} : { size }),
      targets: this.#shares.map(({ target, writer }) => ({
        store: target.store.id,
        bytes: writer?.cursor.position ?? 0,
      })),
    };
  }
}

/** Enough to tell the type by, in memory of their own. */
async function takeFirst(chunks: AsyncGenerator<Uint8Array, void>): Promise<Uint8Array> {
  let taken = Buffer.alloc(0);
  while (taken.byteLength < SNIFFED_BYTES) {
    const { done, value } = await chunks.next();
    if (done) break;
    taken = Buffer.concat([taken, value]);
  }
  return taken;
}
