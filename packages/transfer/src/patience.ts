import { addAbortListener } from 'node:events';
import { StorageError } from '@paradoxon/storage';

/** An abort as an error of the contract. */
export function abortedBy(signal: AbortSignal): StorageError {
  return StorageError.is(signal.reason)
    ? signal.reason
    : new StorageError('ABORTED', 'The transfer was aborted.', { scope: 'local', cause: signal.reason });
}

/**
 * Makes a call that is told to stop when it has been silent for too long or when the caller aborts, and does not wait for
 * one that ignores that.
 *
 * @param silentMs longest silence; `alive` begins it anew
 * @param silence what to reject with then
 */
export async function withPatience<T>(
  silentMs: number,
  silence: StorageError,
  parent: AbortSignal | undefined,
  call: (signal: AbortSignal, alive: () => void) => Promise<T>,
): Promise<T> {
  const stop = new AbortController();
  const { promise: stopped, reject } = Promise.withResolvers<never>();
  const end = (error: StorageError): void => {
    stop.abort(error);
    reject(error);
  };
  const timer = setTimeout(() => end(silence), silentMs);
  const listener = parent && addAbortListener(parent, () => end(abortedBy(parent)));
  try {
    return await Promise.race([call(stop.signal, () => timer.refresh()), stopped]);
  } finally {
    clearTimeout(timer);
    listener?.[Symbol.dispose]();
  }
}
