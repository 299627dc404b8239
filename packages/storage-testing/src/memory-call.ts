import { setImmediate as nextTurn } from 'node:timers/promises';
import { StorageError, type StorageErrorCode, type StorageErrorDetails } from '@paradoxon/storage';

/** One call of a MemoryStorage, and how its errors are worded. */
export class MemoryCall {
  readonly #storage: string;
  readonly #operation: string;
  readonly key: string;
  readonly signal: AbortSignal | undefined;

  constructor(storage: string, operation: string, key: string, signal: AbortSignal | undefined) {
    this.#storage = storage;
    this.#operation = operation;
    this.key = key;
    this.signal = signal;
  }

  readonly refusal = (code: StorageErrorCode, what: string, details: StorageErrorDetails = {}): StorageError =>
    new StorageError(code, `Storage "${this.#storage}" ${what}.`, {
      storage: this.#storage,
      operation: this.#operation,
      key: this.key,
      ...details,
    });

  readonly aborted = (): StorageError =>
    this.refusal('ABORTED', `was told to stop ${this.#operation}`, { scope: 'local', cause: this.signal?.reason });

  /** A store answers later, never in the turn in which it was asked: by then others may have asked, too. */
  async answer(): Promise<void> {
    await nextTurn();
    if (this.signal?.aborted) throw this.aborted();
  }

  /** The contract's own checks know neither store nor operation: says both. */
  named<T>(check: () => T): T {
    try {
      return check();
    } catch (error) {
      if (!StorageError.is(error)) throw error;
      throw new StorageError(error.code, error.message, {
        scope: error.scope,
        storage: this.#storage,
        operation: this.#operation,
        key: this.key,
        cause: error,
      });
    }
  }
}
