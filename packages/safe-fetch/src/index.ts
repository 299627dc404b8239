export { FetchError, type FetchErrorCode, type FetchErrorDetails } from './fetch-error.ts';
export { type FetchPolicy, type ResolvedFetchPolicy } from './fetch-policy.ts';
export { isForbiddenAddress } from './forbidden-address.ts';
export { type RequestOptions } from './one-request.ts';
export { type OpenFileOptions, type RemoteFile } from './remote-file.ts';
export { retryAfterMs } from './retry-after.ts';
export { type FetchedResponse, SafeFetch } from './safe-fetch.ts';
