import { FetchError } from './fetch-error.ts';

export interface PaceLimits {
  readonly idleTimeoutMs: number;
  readonly minBytesPerSecond: number;
  readonly minRateWindowMs: number;
}

interface Slice {
  ms: number;
  bytes: number;
}

/** How finely the limits are judged: a twentieth of the shorter one. */
const TICKS = 20;

/**
 * Judges how fast a source delivers, on a clock that runs only while somebody waits for its bytes: a slow consumer is
 * never the source's fault. The clock advances by at most one tick per tick, so a process that was stopped for a minute
 * does not find every source stalled.
 */
export class SourcePace {
  readonly #limits: PaceLimits;
  readonly #tickMs: number;
  readonly #fail: (error: FetchError) => void;
  #timer: NodeJS.Timeout | undefined;
  #waitingSince: number | undefined;
  #waitedMs = 0;
  #quietMs = 0;
  /** Waited time in slices of a tick or a little more, and the bytes that came in each. */
  readonly #window: Slice[] = [];
  #slice: Slice = { ms: 0, bytes: 0 };

  /** @param fail called once, with `STALLED` or `TOO_SLOW` */
  constructor(limits: PaceLimits, fail: (error: FetchError) => void) {
    this.#limits = limits;
    this.#tickMs = Math.min(limits.idleTimeoutMs, limits.minRateWindowMs) / TICKS;
    this.#fail = fail;
  }

  /** Somebody waits for bytes. */
  wait(): void {
    this.#waitingSince ??= performance.now();
    this.#timer ??= setInterval(() => this.#tick(), this.#tickMs).unref();
  }

  /** Nobody does: the consumer has enough for now. */
  hold(): void {
    this.#stopClock();
    this.#waitingSince = undefined;
  }

  received(bytes: number): void {
    this.#quietMs = 0;
    this.#slice.bytes += bytes;
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #tick(): void {
    this.#stopClock();
    const waited = Math.min(this.#waitedMs, this.#tickMs);
    this.#waitedMs = 0;

    this.#quietMs += waited;
    // one tick more, since the last byte may have come in the middle of one
    if (this.#quietMs >= this.#limits.idleTimeoutMs + this.#tickMs) {
      return this.#end(new FetchError('STALLED', `No byte came for ${this.#limits.idleTimeoutMs} ms.`));
    }

    this.#slice.ms += waited;
    if (this.#slice.ms < this.#tickMs) return;
    this.#window.push(this.#slice);
    this.#slice = { ms: 0, bytes: 0 };
    this.#judgeRate();
  }

  #judgeRate(): void {
    const { minBytesPerSecond, minRateWindowMs } = this.#limits;
    const ms = this.#window.reduce((sum, slice) => sum + slice.ms, 0);
    if (ms < minRateWindowMs) return;
    const bytes = this.#window.reduce((sum, slice) => sum + slice.bytes, 0);
    if ((bytes / ms) * 1000 < minBytesPerSecond) {
      const message = `Only ${bytes} bytes came in ${minRateWindowMs} ms; the limit is ${minBytesPerSecond} bytes/s.`;
      return this.#end(new FetchError('TOO_SLOW', message));
    }
    this.#window.shift();
  }

  #end(error: FetchError): void {
    this.stop();
    this.#fail(error);
  }

  #stopClock(): void {
    if (this.#waitingSince === undefined) return;
    const now = performance.now();
    this.#waitedMs += now - this.#waitingSince;
    this.#waitingSince = now;
  }
}
