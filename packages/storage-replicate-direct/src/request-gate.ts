import { setTimeout as sleep } from 'node:timers/promises';
import { StorageError } from '@paradoxon/storage';

/** A longer pause is reported instead of waited for: the caller's worker has better things to do. */
const MAX_WAIT_MS = 15_000;

/**
 * Lets calls pass, all at once, until the other side asks for a pause. Then nobody calls before the pause is over, and those
 * who waited go one after the other, so that the first answer decides for the next: replicate-javascript 1.4.0 answers
 * `Retry-After: 2` with six requests in 30 ms.
 */
export class RequestGate {
  #openAt = 0;
  #queued = 0;
  #lastInQueue: Promise<void> = Promise.resolve();

  /** The other side said: not before so many milliseconds from now. */
  pause(ms: number): void {
    this.#openAt = Math.max(this.#openAt, Date.now() + ms);
  }

  /**
   * Runs `call` when its turn has come.
   * @throws StorageError `RATE_LIMITED` with `retryAfterMs`, without calling, when the pause is longer than 15 s; the
   *   signal's reason when it aborts
   */
  async pass<T>(call: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    if (this.#queued === 0 && this.#openAt <= Date.now()) return call();
    const before = this.#lastInQueue;
    const turn = Promise.withResolvers<void>();
    this.#lastInQueue = turn.promise;
    this.#queued += 1;
    try {
      await settledOrAborted(before, signal);
      await this.#untilOpen(signal);
      return await call();
    } finally {
      this.#queued -= 1;
      // an aborted caller leaves the queue at once, but must not let the next one past those before it
      void before.then(turn.resolve);
    }
  }

  async #untilOpen(signal: AbortSignal | undefined): Promise<void> {
    const waitMs = this.#openAt - Date.now();
    if (waitMs > MAX_WAIT_MS) {
      throw new StorageError(
        'RATE_LIMITED',
        `Replicate asked for a pause of another ${Math.ceil(waitMs / 1000)} s; not called.`,
        { scope: 'source', retryAfterMs: waitMs },
      );
    }
    // a timer may fire a millisecond early
    if (waitMs > 0) await sleep(waitMs + 1, undefined, signal ? { signal } : {});
  }
}

async function settledOrAborted(promise: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
  if (!signal) return promise;
  signal.throwIfAborted();
  const aborted = Promise.withResolvers<never>();
  const abort = (): void => aborted.reject(signal.reason as Error);
  signal.addEventListener('abort', abort, { once: true });
  try {
    await Promise.race([promise, aborted.promise]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
