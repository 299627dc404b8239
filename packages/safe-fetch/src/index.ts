export { FetchError, type FetchErrorCode, type FetchErrorDetails } from './fetch-error.ts';
export { type FetchPolicy, type ResolvedFetchPolicy } from './fetch-policy.ts';
export { isForbiddenAddress } from './forbidden-address.ts';
export {
  type FetchedResponse,
  type OpenFileOptions,
  type RemoteFile,
  type RequestOptions,
  SafeFetch,
} from './safe-fetch.ts';
