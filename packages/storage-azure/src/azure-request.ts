import { setTimeout as sleep } from 'node:timers/promises';
import { StorageError, type StorageErrorCode } from '@paradoxon/storage';
import { abortedError, assertNotAborted, untilAborted } from '@paradoxon/storage/plugin';
import { type AzureCall, changed, toStorageError } from './azure-errors.ts';

const ATTEMPTS = 3;
const DELAY_MS = 200;
const PASSING: readonly StorageErrorCode[] = ['NETWORK', 'TIMEOUT', 'UNAVAILABLE'];

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

/**
 * A request that changes what others see, tried up to three times; to be sent by a client that tries it once. The SDK would
 * tell the outcome of its last attempt only: a write that took effect, and whose answer was lost, could end in "refused".
 *
 * A create-only write is not repeated after a lost answer: its own first attempt would be in its way.
 */
export async function commit<T>(
  call: AzureCall,
  signal: AbortSignal | undefined,
  send: (options: { abortSignal?: AbortSignal }) => Promise<T>,
): Promise<T> {
  let perhaps = false;
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await request({ ...call, commits: true }, signal, send);
    } catch (error) {
      if (!StorageError.is(error)) throw error;
      perhaps ||= error.committed === 'unknown';
      const passes = isPassing(error) && !(call.createOnly && perhaps);
      if (!passes || attempt === ATTEMPTS) throw perhaps ? changed(error, { committed: 'unknown' }) : error;
      await untilAborted(sleep(attempt * DELAY_MS), signal, perhaps ? perhapsCommitted : abortedError);
    }
  }
}

/** What Azure has refused for a reason (400, 409) stays refused. */
function isPassing({ code, retry, httpStatus = 500 }: StorageError): boolean {
  return PASSING.includes(code) && retry === 'safe' && httpStatus >= 500;
}

function perhapsCommitted(signal: AbortSignal): StorageError {
  return new StorageError('ABORTED', 'The caller aborted while the request was under way.', {
    scope: 'local',
    committed: 'unknown',
    cause: signal.reason,
  });
}
