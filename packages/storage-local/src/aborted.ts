import { StorageError } from '@paradoxon/storage';

export function abortedError(signal: AbortSignal): StorageError {
  return new StorageError('ABORTED', 'The caller aborted.', { scope: 'local', cause: signal.reason });
}

/** @throws StorageError `ABORTED` */
export function assertNotAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw abortedError(signal);
}
