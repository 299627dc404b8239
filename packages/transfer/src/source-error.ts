import { StorageError, type StorageErrorCode } from '@paradoxon/storage';

/**
 * Any failure of the source, with `scope: 'source'`, so that it never counts against a target. A plugin that is read from
 * says 'target' of itself; here it is the source.
 *
 * @param unknownAs what an error is that no vocabulary knows, such as a socket's own
 */
export function asSourceError(error: unknown, unknownAs: StorageErrorCode = 'INTERNAL'): StorageError {
  const known = StorageError.from(error, { scope: 'source' });
  if (!StorageError.is(error) && known.code === 'INTERNAL') {
    return new StorageError(unknownAs, known.message, { scope: 'source', cause: error });
  }
  if (known.scope === 'source') return known;
  return new StorageError(known.code, known.message, {
    scope: 'source',
    retry: known.retry,
    ...(known.retryAfterMs === undefined ? {} : { retryAfterMs: known.retryAfterMs }),
    ...(known.storage === undefined ? {} : { storage: known.storage }),
    ...(known.operation === undefined ? {} : { operation: known.operation }),
    ...(known.key === undefined ? {} : { key: known.key }),
    ...(known.httpStatus === undefined ? {} : { httpStatus: known.httpStatus }),
    ...(known.requestId === undefined ? {} : { requestId: known.requestId }),
    cause: known,
  });
}
