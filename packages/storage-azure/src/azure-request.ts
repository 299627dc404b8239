import { StorageError } from '@paradoxon/storage';
import { abortedError, assertNotAborted, untilAborted } from '@paradoxon/storage/plugin';
import { type AzureCall, toStorageError } from './azure-errors.ts';

/**
 * One request of the SDK: it settles as soon as the signal aborts, also while the SDK waits for a token, and rejects with a
 * StorageError.
 *
 * @param send is given the signal, so that the request itself ends, too
 */
export async function request<T>(
  call: AzureCall,
  signal: AbortSignal | undefined,
  send: (options: { abortSignal?: AbortSignal }) => Promise<T>,
): Promise<T> {
  try {
    assertNotAborted(signal);
    const sent = send(signal ? { abortSignal: signal } : {});
    return await untilAborted(sent, signal, (aborted) =>
      call.commits ? perhapsCommitted(aborted) : abortedError(aborted),
    );
  } catch (error) {
    throw toStorageError(error, call);
  }
}

function perhapsCommitted(signal: AbortSignal): StorageError {
  return new StorageError('ABORTED', 'The caller aborted while the request was under way.', {
    scope: 'local',
    committed: 'unknown',
    cause: signal.reason,
  });
}
