import { redactUrls, StorageError, type StorageErrorCode } from '@paradoxon/storage';
import { z } from 'zod';

export interface Refusal {
  readonly status: number;
  readonly body: string;
  readonly retryAfterMs: number | undefined;
}

/** Errors of Replicate's API are RFC 9457 objects. */
const problemSchema = z.looseObject({ detail: z.string() });

/**
 * An answer of Replicate's API other than 200, as an error that says what to do next.
 * @param what was asked for
 * @param token is taken out of what Replicate says, should it repeat it
 */
export function refusalError({ status, body, retryAfterMs }: Refusal, what: string, token: string): StorageError {
  const [code, advice] = meaningOf(status);
  const detail = detailOf(body).replaceAll(token, '…');
  const said = detail === '' ? '' : ` ("${redactUrls(detail).slice(0, 200)}")`;
  return new StorageError(code, `Replicate answered HTTP ${status} when asked for ${what}${said}. ${advice}`, {
    scope: 'source',
    httpStatus: status,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  });
}

function meaningOf(status: number): [StorageErrorCode, string] {
  if (status === 401) {
    return ['UNAUTHENTICATED', 'Set the option apiToken to a valid token of the account that made the prediction.'];
  }
  if (status === 404) return ['NOT_FOUND', 'It does not exist, or belongs to another account than apiToken.'];
  if (status === 429) return ['RATE_LIMITED', 'It was asked twice, with the pause it wanted; ask less often.'];
  if (status === 408 || status >= 500) return ['UNAVAILABLE', 'Try again later.'];
  return ['PERMISSION_DENIED', 'Check what the account of apiToken may do.'];
}

function detailOf(body: string): string {
  try {
    return problemSchema.parse(JSON.parse(body)).detail;
  } catch {
    // a proxy's HTML, for example: the status says enough
    return '';
  }
}
