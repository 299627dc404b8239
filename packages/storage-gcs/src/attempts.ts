import { setTimeout as sleep } from 'node:timers/promises';
import { StorageError, type StorageErrorCode } from '@paradoxon/storage';
import { assertNotAborted } from '@paradoxon/storage/plugin';

const ATTEMPTS = 3;
const FIRST_DELAY_MS = 200;
const PASSING: readonly StorageErrorCode[] = ['NETWORK', 'UNAVAILABLE', 'RATE_LIMITED', 'TIMEOUT'];

/** How often one request is tried: over in a second when it fails fast. The long loop is the caller's. */
export class Attempts {
  readonly #signal: AbortSignal | undefined;
  #made = 0;

  constructor(signal: AbortSignal | undefined) {
    this.#signal = signal;
  }

  /**
   * Waits before the next attempt.
   * @param error of the last one: thrown when it is not worth another, or no more are left
   * @throws StorageError `ABORTED`
   */
  async again(error: unknown): Promise<void> {
    this.#made += 1;
    const passes = StorageError.is(error) && PASSING.includes(error.code) && error.retryAfterMs === undefined;
    if (!passes || this.#made >= ATTEMPTS) throw error;
    const delayMs = FIRST_DELAY_MS * 3 ** (this.#made - 1) * (0.5 + Math.random() / 2);
    await sleep(delayMs, undefined, this.#signal ? { signal: this.#signal } : {}).catch(() => undefined);
    assertNotAborted(this.#signal);
  }

  /** There was progress: counts from the beginning. */
  reset(): void {
    this.#made = 0;
  }
}
