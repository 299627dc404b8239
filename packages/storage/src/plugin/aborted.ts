import { StorageError } from '../storage-error.ts';

export function abortedError(signal: AbortSignal): StorageError {
  return new StorageError('ABORTED', 'The caller aborted.', { scope: 'local', cause: signal.reason });
}

/** @throws StorageError `ABORTED` */
export function assertNotAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw abortedError(signal);
}

/**
 * The step's outcome, or a rejection as soon as the signal aborts, even while the step stalls.
 *
 * One listener per step and none left behind: `Promise.race` with one long-lived promise would keep every outcome.
 * @param error what to reject with; `ABORTED` when not given
 */
export async function untilAborted<T>(
  step: Promise<T>,
  signal: AbortSignal | undefined,
  error: (signal: AbortSignal) => Error = abortedError,
): Promise<T> {
  if (!signal) return step;
  return new Promise<T>((resolve, reject) => {
    const abort = (): void => reject(error(signal));
    if (signal.aborted) abort();
    else signal.addEventListener('abort', abort, { once: true });
    step.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}
