/** What can be wrong with a request before any package sees it, and a service that is not ready. docs/errors.md says the same, by test. */
export const API_ERRORS = {
  INVALID_REQUEST: { status: 400, meaning: 'A parameter or a body breaks its schema; the detail names the field.' },
  UNSUPPORTED_MEDIA_TYPE: { status: 415, meaning: 'The body is not announced as JSON.' },
  FOREIGN_HOST: { status: 421, meaning: 'The `Host` of the request is not this service.' },
  FOREIGN_ORIGIN: { status: 403, meaning: 'A page of another site asks for a change.' },
  NOT_READY: { status: 503, meaning: 'The database or a store cannot be used; `details` has each.' },
} as const satisfies Record<string, { status: number; meaning: string }>;

export type ApiErrorCode = keyof typeof API_ERRORS;

export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly code: ApiErrorCode;
  /** Shown to the client as it is. */
  readonly details: unknown;

  constructor(code: ApiErrorCode, message: string, details?: unknown) {
    super(message);
    this.code = code;
    this.details = details;
  }
}
