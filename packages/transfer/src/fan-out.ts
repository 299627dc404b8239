import type { StorageError } from '@paradoxon/storage';
import { ByteWindow } from './byte-window.ts';
import { TargetWriter, type TransferTarget } from './target-writer.ts';
import type { TransferContent, Verdict } from './verdict.ts';
import type { VideoType } from './video-type.ts';

/** After its last byte a store still has its own buffers to send and the object to put together. */
const COMMIT_FACTOR = 2;

export interface FanOutOptions {
  readonly windowBytes: number;
  readonly lagMs: number;
  readonly targetIdleMs: number;
}

/**
 * One reading, given to every target at the pace of the slowest one that is healthy. What happens to one target is never
 * felt by another.
 */
export class FanOut {
  readonly writers: readonly TargetWriter[];
  readonly #window: ByteWindow;
  readonly #options: FanOutOptions;
  readonly #read = Promise.withResolvers<TransferContent>();
  #content: TransferContent | undefined;

  /**
   * @param size bytes, when the source announced it
   * @param signal the caller's
   */
  constructor(
    targets: readonly TransferTarget[],
    video: VideoType,
    size: number | undefined,
    options: FanOutOptions,
    signal: AbortSignal,
  ) {
    this.#options = options;
    this.#window = new ByteWindow(options.windowBytes, size);
    // most targets never wait for it
    this.#read.promise.catch(() => undefined);
    this.writers = targets.map(
      (target) =>
        new TargetWriter(target, {
          cursor: this.#window.attach(),
          video,
          size,
          content: () => this.#content,
          read: this.#read.promise,
          signal,
        }),
    );
  }

  /** @returns one per target, same order, when all are finished */
  async run(): Promise<(Verdict | 'start over')[]> {
    const { lagMs, targetIdleMs } = this.#options;
    // Time is counted in ticks of this process: one that was frozen for a minute blames nobody for that minute.
    const tickMs = Math.min(1000, Math.max(5, Math.min(lagMs, targetIdleMs) / 4));
    const watch = setInterval(() => this.#watch(Math.ceil(lagMs / tickMs), Math.ceil(targetIdleMs / tickMs)), tickMs);
    try {
      return await Promise.all(this.writers.map((writer) => writer.run()));
    } finally {
      clearInterval(watch);
    }
  }

  /** Resolves when all of it is in the window: not before the slowest target has made room. */
  async write(bytes: Uint8Array): Promise<void> {
    let rest = bytes.subarray(this.#window.write(bytes));
    while (rest.byteLength > 0) {
      await this.#window.room();
      rest = rest.subarray(this.#window.write(rest));
    }
  }

  /** Everything was read and agrees with everything it was compared with: the targets may be told the end. */
  finish(content: TransferContent): void {
    this.#content = content;
    this.#read.resolve(content);
    this.#window.end();
  }

  fail(error: StorageError): void {
    for (const writer of this.writers) writer.fail(error);
    this.#read.reject(error);
  }

  /** The puts are ended, to be begun again with another reading. */
  startOver(reason: StorageError): void {
    for (const writer of this.writers) writer.startOver(reason);
    this.#read.reject(reason);
  }

  #watch(lagTicks: number, idleTicks: number): void {
    const { lagMs, targetIdleMs } = this.#options;
    const someoneStarves = this.#window.full && this.writers.some((writer) => writer.cursor.waiting);
    const { tail } = this.#window;
    for (const writer of this.writers) {
      const { cursor } = writer;
      writer.silentTicks = this.#isSilent(writer) ? writer.silentTicks + 1 : 0;
      if (cursor.open && writer.silentTicks >= idleTicks) {
        writer.fail(writer.error('STALLED', `took no byte for ${targetIdleMs} ms`));
      } else if (!cursor.open && writer.silentTicks >= idleTicks * COMMIT_FACTOR) {
        writer.fail(
          writer.error('STALLED', `did not finish within ${targetIdleMs * COMMIT_FACTOR} ms of its last byte`),
        );
      } else if (someoneStarves && cursor.open && cursor.position === tail && writer.silentTicks >= lagTicks) {
        writer.fail(writer.error('LAGGED', `took no byte for ${lagMs} ms while other targets waited for it`));
      }
    }
  }

  /** Whether it is this target's turn to do something. */
  #isSilent({ finished, cursor }: TargetWriter): boolean {
    if (finished) return false;
    if (!cursor.open) return this.#window.ended;
    // there is something to take, or what it holds is all there is room for
    return !cursor.waiting && (cursor.hasMore || this.#window.full);
  }
}
