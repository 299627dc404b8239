import { type ArgumentsHost, Catch, type ExceptionFilter, HttpException, Logger } from '@nestjs/common';
import { DatabaseError, type DatabaseErrorCode, ExportError, type ExportErrorCode } from '@paradoxon/export';
import { redactUrls, StorageError, type StorageErrorCode } from '@paradoxon/storage';
import type { Response } from 'express';
import { API_ERRORS, ApiError } from './api-error.ts';

type PackageCode = StorageErrorCode | ExportErrorCode | DatabaseErrorCode;

/** HTTP statuses belong to this app, not to the packages that throw. A code without one does not compile. */
const STATUS: Record<PackageCode, number> = {
  // what was asked for
  FILM_NOT_FOUND: 404,
  SCENE_NOT_FOUND: 404,
  NOT_FOUND: 404,
  INVALID_KEY: 404,
  PLACEHOLDER: 404,
  INVALID_CURSOR: 400,
  INVALID_FILM: 400,
  INVALID_EXPORT: 422,
  UNKNOWN_STORAGE: 422,
  UNSUPPORTED: 422,
  FORBIDDEN_URL: 422,
  TOO_LARGE: 422,
  NOT_ARCHIVED: 409,
  ALREADY_EXISTS: 409,
  SOURCE_NOT_READY: 409,
  NOTHING_PLAYABLE: 410,
  SOURCE_EXPIRED: 410,
  SOURCE_FAILED: 410,
  PRECONDITION_FAILED: 412,
  RANGE_NOT_SATISFIABLE: 416,
  // a store or a source that this service stands in front of
  PERMISSION_DENIED: 502,
  UNAUTHENTICATED: 502,
  NETWORK: 502,
  RANGE_IGNORED: 502,
  CHECKSUM_MISMATCH: 502,
  SOURCE_TRUNCATED: 502,
  SOURCE_CHANGED: 502,
  TOO_MANY_REDIRECTS: 502,
  NOT_A_VIDEO: 502,
  TIMEOUT: 504,
  STALLED: 504,
  TOO_SLOW: 504,
  LAGGED: 504,
  // this service
  RATE_LIMITED: 503,
  UNAVAILABLE: 503,
  ABORTED: 503,
  DATABASE_UNAVAILABLE: 503,
  DATABASE_IN_USE: 503,
  QUOTA_EXCEEDED: 507,
  INVALID_CONFIG: 500,
  DUPLICATE_ID: 500,
  DATABASE_MISCONFIGURED: 500,
  DATABASE_UNSUPPORTED_PLATFORM: 500,
  DATABASE_UNSUPPORTED_VERSION: 500,
  INTERNAL: 500,
};

export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly code: string;
  readonly detail: string;
  readonly details?: unknown;
}

/** Every error as RFC 9457 problem+json with our stable code. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  readonly #logger = new Logger('Problem');

  catch(error: unknown, host: ArgumentsHost): void {
    const response = host.switchToHttp().getResponse<Response>();
    const problem = problemOf(error);
    // an ApiError is an answer, not a failure: not being ready is asked for every few seconds
    if (problem.status >= 500 && !(error instanceof ApiError)) this.#logger.error(error);
    if (response.headersSent) {
      // part of a body is out: a cut connection is the only honest answer left
      response.destroy();
      return;
    }
    response.status(problem.status).type('application/problem+json').send(JSON.stringify(problem));
  }
}

export function problemOf(error: unknown): Problem {
  if (StorageError.is(error) || ExportError.is(error) || DatabaseError.is(error)) {
    return problem(STATUS[error.code], error.code, error.message);
  }
  if (error instanceof ApiError) {
    const { code, message, details } = error;
    return { ...problem(API_ERRORS[code].status, code, message), ...(details === undefined ? {} : { details }) };
  }
  if (error instanceof HttpException) {
    const status = error.getStatus();
    return problem(status, status === 400 ? 'INVALID_REQUEST' : `HTTP_${status}`, detailOf(error));
  }
  return problem(500, 'INTERNAL', 'An unexpected error. The log has the details.');
}

function problem(status: number, code: string, detail: string): Problem {
  const type = `urn:paradoxon:error:${code.toLowerCase()}`;
  return { type, title: code, status, code, detail: redactUrls(detail) };
}

/** The validation pipe and body parser put what is wrong into `message`, a text or several. */
function detailOf(error: HttpException): string {
  const body = error.getResponse();
  if (typeof body === 'string') return body;
  const { message } = body as { message?: unknown };
  return Array.isArray(message)
    ? message.map(String).join('; ')
    : typeof message === 'string'
      ? message
      : error.message;
}
