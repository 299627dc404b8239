import { redactUrls } from './redact-urls.ts';

/**
 * The whole vocabulary. `retry` is advice to whoever runs the call again: `never`, `safe`, or `after` (wait `retryAfterMs`).
 * HTTP statuses belong to apps/api. docs/errors.md says the same, by test.
 */
export const STORAGE_ERRORS = {
  NOT_FOUND: { retry: 'never', meaning: 'The store says that there is no such object.' },
  ALREADY_EXISTS: { retry: 'never', meaning: 'Create-only write: another writer was first.' },
  PRECONDITION_FAILED: { retry: 'never', meaning: 'The object is not the version that was named.' },
  PERMISSION_DENIED: { retry: 'never', meaning: 'The credentials are known and may not do this.' },
  UNAUTHENTICATED: { retry: 'never', meaning: 'The credentials are missing, wrong or expired.' },
  RATE_LIMITED: { retry: 'after', meaning: 'The other side asks to be called less often.' },
  QUOTA_EXCEEDED: { retry: 'never', meaning: 'The disk or the account is full.' },
  RANGE_NOT_SATISFIABLE: { retry: 'never', meaning: 'The range starts behind the end of the object.' },
  RANGE_IGNORED: { retry: 'never', meaning: 'A range was asked for and something else was served.' },
  INVALID_KEY: { retry: 'never', meaning: 'The object key breaks the key rules.' },
  INVALID_CONFIG: { retry: 'never', meaning: 'An option is missing or has a value that is not allowed.' },
  UNSUPPORTED: { retry: 'never', meaning: 'This store says in its capabilities that it cannot do this.' },
  TIMEOUT: { retry: 'safe', meaning: 'No answer in time.' },
  STALLED: { retry: 'safe', meaning: 'The bytes stopped coming, or no longer went out.' },
  TOO_SLOW: { retry: 'safe', meaning: 'The source stayed below the minimum rate.' },
  ABORTED: { retry: 'safe', meaning: 'The caller aborted.' },
  NETWORK: { retry: 'safe', meaning: 'The connection failed or broke.' },
  UNAVAILABLE: { retry: 'safe', meaning: 'The other side answered that it cannot serve now.' },
  CHECKSUM_MISMATCH: { retry: 'safe', meaning: 'The bytes differ from their checksum or size.' },
  SOURCE_TRUNCATED: { retry: 'safe', meaning: 'The source ended before its announced length.' },
  SOURCE_CHANGED: { retry: 'safe', meaning: 'The source is not the file whose reading began.' },
  SOURCE_EXPIRED: { retry: 'never', meaning: 'The generator has deleted its output.' },
  SOURCE_NOT_READY: { retry: 'after', meaning: 'The prediction has not produced its video yet.' },
  SOURCE_FAILED: { retry: 'never', meaning: 'The prediction ended without a video.' },
  FORBIDDEN_URL: {
    retry: 'never',
    meaning: 'The URL, or where it leads, is not allowed by the host list or the address guard.',
  },
  TOO_MANY_REDIRECTS: { retry: 'never', meaning: 'The source redirects more often than allowed.' },
  TOO_LARGE: { retry: 'never', meaning: 'More bytes than allowed.' },
  NOT_A_VIDEO: { retry: 'never', meaning: 'The first bytes are not those of a video.' },
  LAGGED: { retry: 'safe', meaning: 'The target was too slow for the others and was let go.' },
  DUPLICATE_ID: { retry: 'never', meaning: 'Two plugins with one id.' },
  UNKNOWN_STORAGE: { retry: 'never', meaning: 'No plugin is registered under this id.' },
  INTERNAL: { retry: 'never', meaning: 'A defect: please report it.' },
} as const satisfies Record<string, { retry: RetryAdvice; meaning: string }>;

export type StorageErrorCode = keyof typeof STORAGE_ERRORS;
export type RetryAdvice = 'never' | 'safe' | 'after';
/** Whose fault it is, so that a slow source never counts against a target. */
export type ErrorScope = 'source' | 'target' | 'local';
/** Whether the write took effect. */
export type Committed = 'no' | 'yes' | 'unknown';

export interface StorageErrorDetails {
  readonly scope?: ErrorScope;
  /** Overrides the code's own advice: an SDK that already retried says `never`. */
  readonly retry?: RetryAdvice;
  readonly retryAfterMs?: number;
  readonly committed?: Committed;
  /** The plugin's id. */
  readonly storage?: string;
  /** 'put', 'open', … */
  readonly operation?: string;
  readonly key?: string;
  readonly httpStatus?: number;
  readonly requestId?: string;
  readonly cause?: unknown;
}

/** `Symbol.for`: two installed copies of this package still agree on it. */
const BRAND = Symbol.for('@paradoxon/storage/StorageError');

export class StorageError extends Error {
  override readonly name = 'StorageError';
  readonly [BRAND] = true;
  readonly code: StorageErrorCode;
  readonly scope: ErrorScope;
  readonly retry: RetryAdvice;
  readonly retryAfterMs: number | undefined;
  readonly committed: Committed;
  readonly storage: string | undefined;
  readonly operation: string | undefined;
  readonly key: string | undefined;
  readonly httpStatus: number | undefined;
  readonly requestId: string | undefined;

  /** @param message what happened, to what, and what to do next; URLs in it lose their query */
  constructor(code: StorageErrorCode, message: string, details: StorageErrorDetails = {}) {
    super(redactUrls(message), details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.scope = details.scope ?? 'target';
    this.retry = details.retry ?? STORAGE_ERRORS[code].retry;
    this.retryAfterMs = details.retryAfterMs;
    this.committed = details.committed ?? 'no';
    this.storage = details.storage;
    this.operation = details.operation;
    this.key = details.key;
    this.httpStatus = details.httpStatus;
    this.requestId = details.requestId;
  }

  /** Use instead of `instanceof`: true also for errors from another installed copy of this package. */
  static is(error: unknown): error is StorageError {
    return typeof error === 'object' && error !== null && BRAND in error;
  }

  /**
   * Any caught value as a StorageError: one that is one already stays itself; an abort becomes `ABORTED`, that of
   * `AbortSignal.timeout` `TIMEOUT`; an error whose
   * `code` is in the vocabulary (safe-fetch's are) keeps code, message and `retryAfterMs`; the rest is `INTERNAL`.
   */
  static from(error: unknown, details: StorageErrorDetails = {}): StorageError {
    if (StorageError.is(error)) return error;
    const { name, code, message, retryAfterMs } = (error ?? {}) as Record<string, unknown>;
    const text = typeof message === 'string' ? message : String(error);
    if (name === 'AbortError' || code === 'ABORT_ERR') {
      return new StorageError('ABORTED', `Aborted: ${text}`, { scope: 'local', ...details, cause: error });
    }
    if (name === 'TimeoutError') return new StorageError('TIMEOUT', text, { ...details, cause: error });
    if (typeof code === 'string' && Object.hasOwn(STORAGE_ERRORS, code)) {
      return new StorageError(code as StorageErrorCode, text, {
        ...(typeof retryAfterMs === 'number' ? { retryAfterMs } : {}),
        ...details,
        cause: error,
      });
    }
    return new StorageError('INTERNAL', text, { ...details, cause: error });
  }
}
