import { inspect } from 'node:util';
import { StorageError } from '@paradoxon/storage';

/** The StorageError that a call rejects with or throws; fails the test when there is none. */
export async function errorOf(call: () => unknown): Promise<StorageError> {
  try {
    await call();
  } catch (error) {
    if (StorageError.is(error)) return error;
    throw new Error(`not a StorageError: ${inspect(error)}`, { cause: error });
  }
  throw new Error('the call succeeded');
}

/** Everything that a log could show of an error: message, stack, causes, own and JSON fields. */
export function everythingIn(error: unknown): string {
  const hidden = inspect(error, { depth: 20, showHidden: true });
  return `${hidden}\n${JSON.stringify(error)}\n${JSON.stringify(error, Object.getOwnPropertyNames(error))}`;
}
