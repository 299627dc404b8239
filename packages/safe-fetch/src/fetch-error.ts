/** Names from `STORAGE_ERRORS` of `@paradoxon/storage`, on purpose: `StorageError.from` keeps them. */
export type FetchErrorCode =
  | 'FORBIDDEN_URL'
  | 'TOO_MANY_REDIRECTS'
  | 'TOO_LARGE'
  | 'TIMEOUT'
  | 'STALLED'
  | 'TOO_SLOW'
  | 'NETWORK'
  | 'ABORTED'
  | 'SOURCE_TRUNCATED'
  | 'SOURCE_CHANGED'
  | 'RANGE_IGNORED'
  | 'RANGE_NOT_SATISFIABLE'
  | 'UNSUPPORTED'
  | 'NOT_FOUND'
  | 'PERMISSION_DENIED'
  | 'UNAUTHENTICATED'
  | 'RATE_LIMITED'
  | 'UNAVAILABLE';

export interface FetchErrorDetails {
  /** Kept, and put before the message, without query, userinfo and fragment. */
  readonly url?: string | URL;
  readonly httpStatus?: number;
  /** How long the server asks to be left alone, ms. */
  readonly retryAfterMs?: number;
  readonly cause?: unknown;
}

export class FetchError extends Error {
  override readonly name = 'FetchError';
  readonly code: FetchErrorCode;
  readonly retryAfterMs?: number;
  readonly httpStatus?: number;
  /** Without query, userinfo and fragment. */
  readonly url?: string;

  constructor(code: FetchErrorCode, message: string, details: FetchErrorDetails = {}) {
    const url = details.url === undefined ? undefined : redactUrl(details.url);
    super(
      url === undefined ? message : `${url}: ${message}`,
      'cause' in details ? { cause: details.cause } : undefined,
    );
    this.code = code;
    if (url !== undefined) this.url = url;
    if (details.httpStatus !== undefined) this.httpStatus = details.httpStatus;
    if (details.retryAfterMs !== undefined) this.retryAfterMs = details.retryAfterMs;
  }
}

/** A URL as it may appear in a message: signatures live in the query, passwords in the userinfo. */
function redactUrl(url: string | URL): string {
  const parsed = URL.parse(String(url));
  if (!parsed) return 'an invalid URL';
  // the content of a data: URL is its path
  if (parsed.host === '') return `${parsed.protocol}…`;
  return `${parsed.protocol}//${parsed.host}${parsed.pathname}`;
}
