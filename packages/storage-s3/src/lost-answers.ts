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

/** Watches every attempt of every call of this client. */
export function noteLostAnswers(client: S3Client): void {
  /** Of each call that has failed: its last attempt's error. */
  const calls = new WeakMap<object, { error: unknown; lost: boolean }>();
  client.middlewareStack.add(
    (next, context) => async (args) => {
      try {
        return await next(args);
      } catch (error) {
        const isLost = calls.get(context)?.lost || (!wasAnswered(error) && !neverConnected(error));
        calls.set(context, { error, lost: isLost });
        if (isLost && typeof error === 'object' && error !== null) lost.add(error);
        throw error;
      }
    },
    // inside the SDK's own retries
    { step: 'finalizeRequest', priority: 'low', name: 'noteLostAnswers' },
  );
  client.middlewareStack.add(
    (next, context) => async (args) => {
      try {
        return await next(args);
      } catch (error) {
        // the SDK wraps errors of another realm (Jest, vm) into one of its own, without their code
        const isWrapped = error instanceof Error && error.message.startsWith('AWS SDK error wrapper');
        throw isWrapped ? (calls.get(context)?.error ?? error) : error;
      }
    },
    { step: 'initialize', priority: 'high', name: 'unwrapErrors' },
  );
}

/** Of a server, or a gateway before it, that gave up on the way: it does not know what became of the request. */
const GAVE_UP = [500, 502, 504];

/** With a refusal, which is final: an answer that says 200 and then breaks off says nothing. */
function wasAnswered(error: unknown): boolean {
  const { $fault, $response } = (error ?? {}) as { $fault?: unknown; $response?: { statusCode?: number } };
  const status = $response?.statusCode ?? 0;
  return !GAVE_UP.includes(status) && ($fault !== undefined || status >= 300);
}

function neverConnected(error: unknown): boolean {
  const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown };
  return NEVER_CONNECTED.test(String(code)) || NO_CONNECTION_IN_TIME.test(String(message));
}
