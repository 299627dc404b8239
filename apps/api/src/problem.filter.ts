import { type ArgumentsHost, Catch, type ExceptionFilter, HttpException, Logger } from '@nestjs/common';
import { DatabaseError, type DatabaseErrorCode, ExportError, type ExportErrorCode } from '@paradoxon/export';
import { redactUrls, StorageError, type StorageErrorCode } from '@paradoxon/storage';
import type { Response } from 'express';

/** HTTP statuses belong to this app, not to the packages that throw. What is not listed is our own defect: 500. */
const STATUS: Partial<Record<StorageErrorCode | ExportErrorCode | DatabaseErrorCode, number>> = {
  FILM_NOT_FOUND: 404,
  SCENE_NOT_FOUND: 404,
  INVALID_FILM: 422,
  INVALID_EXPORT: 422,
  NOT_ARCHIVED: 409,
  PLACEHOLDER: 404,
  NOTHING_PLAYABLE: 410,
  INVALID_CURSOR: 400,
  DATABASE_UNAVAILABLE: 503,
  UNKNOWN_STORAGE: 422,
  UNSUPPORTED: 422,
  NOT_FOUND: 404,
  INVALID_KEY: 404,
  SOURCE_EXPIRED: 410,
  SOURCE_NOT_READY: 409,
  SOURCE_FAILED: 410,
  RANGE_NOT_SATISFIABLE: 416,
  PRECONDITION_FAILED: 412,
  PERMISSION_DENIED: 502,
  UNAUTHENTICATED: 502,
  RATE_LIMITED: 503,
  UNAVAILABLE: 503,
  NETWORK: 502,
  TIMEOUT: 504,
  STALLED: 504,
};

export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly code: string;
  readonly detail: string;
}

/** Every error as RFC 9457 problem+json with our stable code. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  readonly #logger = new Logger('Problem');

  catch(error: unknown, host: ArgumentsHost): void {
    const response = host.switchToHttp().getResponse<Response>();
    const problem = problemOf(error);
    if (problem.status >= 500) this.#logger.error(error);
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
    return problem(STATUS[error.code] ?? 500, error.code, error.message);
  }
  if (error instanceof HttpException) {
    const status = error.getStatus();
    return problem(status, status === 400 ? 'INVALID_REQUEST' : `HTTP_${status}`, detailOf(error));
  }
  return problem(500, 'INTERNAL', 'An unexpected error. The log has the details.');
}

function problem(status: number, code: string, detail: string): Problem {
  return { type: `/docs/errors#${code.toLowerCase()}`, title: code, status, code, detail: redactUrls(detail) };
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
