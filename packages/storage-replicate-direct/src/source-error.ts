import { FetchError } from '@paradoxon/safe-fetch';
import { redactUrls, StorageError, type StorageErrorDetails } from '@paradoxon/storage';

/** Where it happened, for the error to say so. */
export interface CallSite {
  readonly storage: string;
  readonly operation: string;
  readonly key?: string;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Whatever a call threw, as the StorageError to reject with: completed with where it happened, and never with a query,
 * where signatures are.
 */
export function toSourceError(error: unknown, { storage, operation, key, signal }: CallSite): StorageError {
  const site: StorageErrorDetails = { storage, operation, ...(key === undefined ? {} : { key: redactUrls(key) }) };
  if (StorageError.is(error)) {
    return new StorageError(error.code, error.message, {
      ...site,
      scope: error.scope,
      retry: error.retry,
      ...(error.retryAfterMs === undefined ? {} : { retryAfterMs: error.retryAfterMs }),
      ...(error.httpStatus === undefined ? {} : { httpStatus: error.httpStatus }),
      cause: error.cause,
    });
  }
  if (signal?.aborted) {
    return new StorageError('ABORTED', `${operation} was aborted by its caller.`, {
      ...site,
      scope: 'local',
      cause: error,
    });
  }
  const httpStatus = error instanceof FetchError ? error.httpStatus : undefined;
  return StorageError.from(error, { ...site, scope: 'source', ...(httpStatus === undefined ? {} : { httpStatus }) });
}

/** Whether a file's host answered that the file is gone. The status of a deleted output is not documented: these three are taken alike. */
export function isGone(error: unknown): error is FetchError {
  return error instanceof FetchError && [403, 404, 410].includes(error.httpStatus ?? 0);
}

export function expiredError(error: FetchError, retentionMinutes: number): StorageError {
  return new StorageError(
    'SOURCE_EXPIRED',
    `${error.message} Replicate deletes outputs ${retentionMinutes} minutes after their prediction: ` +
      'use a copy made before, or generate the video again.',
    { scope: 'source', cause: error, ...(error.httpStatus === undefined ? {} : { httpStatus: error.httpStatus }) },
  );
}
