import { FetchError, type FetchErrorCode } from './fetch-error.ts';
import { retryAfterMs } from './retry-after.ts';

/** A file's answer that is neither 200 nor 206, as an error. */
export function statusError(status: number, headers: Readonly<Record<string, string>>, url: URL): FetchError {
  const [code, message] = meaningOf(status);
  const pauseMs = retryAfterMs(headers['retry-after']);
  return new FetchError(code, `${message} (HTTP ${status}).`, {
    url,
    httpStatus: status,
    ...(pauseMs === undefined ? {} : { retryAfterMs: pauseMs }),
  });
}

function meaningOf(status: number): [FetchErrorCode, string] {
  switch (status) {
    case 404:
    case 410:
      return ['NOT_FOUND', 'There is no such file'];
    case 401:
      return ['UNAUTHENTICATED', 'The server wants credentials'];
    case 429:
      return ['RATE_LIMITED', 'The server asks to be called less often'];
    case 416:
      return ['RANGE_NOT_SATISFIABLE', 'The range lies behind the end of the file'];
    case 408:
      return ['UNAVAILABLE', 'The server gave up waiting'];
    default:
      if (status >= 500) return ['UNAVAILABLE', 'The server cannot serve now'];
      if (status >= 400) return ['PERMISSION_DENIED', 'The server refuses'];
      return ['UNSUPPORTED', 'This answer is no file'];
  }
}
