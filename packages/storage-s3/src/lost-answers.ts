import type { S3Client } from '@aws-sdk/client-s3';

/** Errors of calls of which one attempt at least may have reached the server and was not answered. */
const lost = new WeakSet<object>();

/** What fails before a request is sent. */
const NEVER_CONNECTED =
  /^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|EADDRNOTAVAIL|ERR_TLS_\w+|CERT_\w+|DEPTH_ZERO_\w+|SELF_SIGNED_\w+|UNABLE_TO_\w+)$/;
const NO_CONNECTION_IN_TIME = /did not establish a connection/;

/**
 * Whether a request that failed may have taken effect all the same. The SDK tries again by itself and tells the outcome
 * of its last attempt only: a create-only write whose first answer is lost ends in 412, because of itself.
 */
export const mayHaveArrived = (error: unknown): boolean =>
  typeof error === 'object' && error !== null && lost.has(error);

export function noteLostAnswers(client: S3Client): void {
  const calls = new WeakSet<object>();
  client.middlewareStack.add(
    (next, context) => async (args) => {
      try {
        return await next(args);
      } catch (error) {
        if (!wasAnswered(error) && !neverConnected(error)) calls.add(context);
        if (calls.has(context) && typeof error === 'object' && error !== null) lost.add(error);
        throw error;
      }
    },
    // inside the SDK's own retries
    { step: 'finalizeRequest', priority: 'low', name: 'noteLostAnswers' },
  );
}

/** With a refusal, which is final: an answer that says 200 and then breaks off says nothing. */
function wasAnswered(error: unknown): boolean {
  const { $fault, $response } = (error ?? {}) as { $fault?: unknown; $response?: { statusCode?: number } };
  return $fault !== undefined || ($response?.statusCode ?? 0) >= 300;
}

function neverConnected(error: unknown): boolean {
  const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown };
  return NEVER_CONNECTED.test(String(code)) || NO_CONNECTION_IN_TIME.test(String(message));
}
