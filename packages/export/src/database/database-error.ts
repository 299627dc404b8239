/** What can be wrong with the database itself. Messages name the next step and never hold a URL's password. */
export const DATABASE_ERRORS = {
  DATABASE_IN_USE: { meaning: 'Another process uses this data folder.' },
  DATABASE_UNAVAILABLE: { meaning: 'PostgreSQL does not start, does not answer, or has stopped.' },
  DATABASE_UNSUPPORTED_PLATFORM: { meaning: 'There is no embedded PostgreSQL for this platform.' },
  DATABASE_UNSUPPORTED_VERSION: { meaning: 'The PostgreSQL is older than 14.' },
  DATABASE_MISCONFIGURED: { meaning: 'The URL or the folder of the database cannot be used.' },
  INVALID_CURSOR: { meaning: 'The cursor of a page was not given out by us.' },
} as const satisfies Record<string, { meaning: string }>;

export type DatabaseErrorCode = keyof typeof DATABASE_ERRORS;
const BRAND = Symbol.for('@paradoxon/export/DatabaseError');

export class DatabaseError extends Error {
  override readonly name = 'DatabaseError';
  readonly [BRAND] = true;
  readonly code: DatabaseErrorCode;

  constructor(code: DatabaseErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }

  /** Use instead of `instanceof`: true also for errors from another installed copy of this package. */
  static is(error: unknown): error is DatabaseError {
    return typeof error === 'object' && error !== null && BRAND in error;
  }
}
