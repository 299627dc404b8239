import { StorageError } from '../storage-error.ts';
import type { CheckReport, CheckStep } from '../storage-plugin.ts';
import { assertNotAborted } from './aborted.ts';

/** One `check`: its steps, each with what it found. */
export class CheckRun {
  readonly #steps: CheckStep[] = [];
  readonly #signal: AbortSignal | undefined;

  constructor(signal?: AbortSignal) {
    this.#signal = signal;
  }

  get signal(): AbortSignal | undefined {
    return this.#signal;
  }

  /**
   * @param work says what it found, or rejects with what is wrong and what to do
   * @returns whether it went well: the caller decides what is tried after a step that did not
   * @throws StorageError `ABORTED`, nothing else
   */
  async step(name: string, work: () => string | Promise<string>): Promise<boolean> {
    assertNotAborted(this.#signal);
    try {
      this.#steps.push({ name, ok: true, detail: await work() });
      return true;
    } catch (error) {
      assertNotAborted(this.#signal);
      this.#steps.push({ name, ok: false, detail: StorageError.from(error).message });
      return false;
    }
  }

  report(): CheckReport {
    return { ok: this.#steps.every(({ ok }) => ok), steps: this.#steps };
  }
}
