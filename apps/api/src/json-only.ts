import type { RequestHandler } from 'express';
import { ApiError } from './api-error.ts';

/** A body that is not JSON would be ignored, and the request taken for one without a body. */
export const jsonOnly: RequestHandler = (request, _, next) => {
  const { 'transfer-encoding': chunked, 'content-length': length = '0', 'content-type': type } = request.headers;
  const hasBody = chunked !== undefined || length !== '0';
  if (!hasBody || request.is('json')) return next();
  next(
    new ApiError('UNSUPPORTED_MEDIA_TYPE', `A body must have content-type application/json, not ${type ?? 'none'}.`),
  );
};
