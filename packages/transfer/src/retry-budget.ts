import { setTimeout as sleep } from 'node:timers/promises';
import type { StorageError } from '@paradoxon/storage';

const BASE_MS = 250;
const CAP_MS = 10_000;
/** A server that asks for a longer pause is answered by giving up: whoever runs the job can wait, an open upload cannot. */
const LONGEST_WAIT_MS = 60_000;
/** Each failure may come after a little progress, for ever; this ends it. */
const FAILURES_PER_ATTEMPT = 10;

/**
 * How long to wait before the next attempt: exponential, half of it random so that many readers do not return at once.
 *
 * @param failures in a row, from 1
 * @param retryAfterMs what the other side asked for, ms: never less than that
 * @returns ms
 */
export function retryDelayMs(failures: number, retryAfterMs = 0, random: () => number = Math.random): number {
  const backOff = Math.min(CAP_MS, BASE_MS * 2 ** (failures - 1));
  const jittered = backOff / 2 + (random() * backOff) / 2;
  return retryAfterMs > 0 ? retryAfterMs + jittered / 2 : jittered;
}

/** Counts failures of the source, and waits between them. */
export class RetryBudget {
  readonly #maxAttempts: number;
  readonly #deadline: Date | undefined;
  readonly #wait: typeof wait;
  #furthest = 0;
  #failures = 0;
  #allFailures = 0;

  /**
   * @param maxAttempts failures in a row without a byte of progress that end the reading
   * @param deadline no wait reaches behind it
   * @param waits for tests
   */
  constructor(maxAttempts: number, deadline?: Date, waits = wait) {
    this.#maxAttempts = maxAttempts;
    this.#deadline = deadline;
    this.#wait = waits;
  }

  /**
   * Takes one failure and waits until the next attempt may be made.
   *
   * @param position how far the reading came, bytes: only beyond its furthest point so far is it progress, or a source
   *   that has to be started over would be started over for ever
   * @throws `error` itself when there is no attempt left, or none before the deadline; `AbortError` when the signal aborts
   */
  async spend(error: StorageError, position: number, signal: AbortSignal): Promise<void> {
    if (position > this.#furthest) {
      this.#furthest = position;
      this.#failures = 0;
    }
    this.#failures += 1;
    this.#allFailures += 1;
    if (this.#failures >= this.#maxAttempts) throw error;
    if (this.#allFailures >= this.#maxAttempts * FAILURES_PER_ATTEMPT) throw error;
    if ((error.retryAfterMs ?? 0) > LONGEST_WAIT_MS) throw error;
    const waitMs = retryDelayMs(this.#failures, error.retryAfterMs);
    if (this.#deadline && Date.now() + waitMs >= this.#deadline.getTime()) throw error;
    await this.#wait(waitMs, signal);
  }
}

async function wait(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal });
}
