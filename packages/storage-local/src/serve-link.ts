import type { IncomingMessage, ServerResponse } from 'node:http';
import { StorageError } from '@paradoxon/storage';
import { serveObject } from '@paradoxon/storage/http';
import type { LocalStorage } from './local-storage.ts';
import { parseLink } from './signed-link.ts';

/** RFC 9457 titles of what may be answered instead of the object. */
const TITLES = {
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  410: 'Gone',
  500: 'Internal Server Error',
  503: 'Service Unavailable',
} as const;

/**
 * Answers a signed link: the object for GET and HEAD, else a problem (application/problem+json): 403 for a link that
 * this storage did not sign, 410 for one that has expired, 404, 405, or 500 and 503 when the folder fails.
 *
 * @param link what follows the base URL in the request's URL, still encoded, with the query: `films/1.mp4?expires=…`
 * @throws StorageError when the folder failed, for the host's log: the client has its 500 or 503 by then or, when the
 *   answer had begun, a cut connection
 */
export async function serveLink(
  store: LocalStorage,
  request: IncomingMessage,
  response: ServerResponse,
  link: string,
): Promise<void> {
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.setHeader('allow', 'GET, HEAD');
    return sendProblem(response, 405, 'A link is for reading.');
  }
  const parsed = parseLink(link);
  const verdict = parsed ? store.verifyLink(parsed.key, parsed.expires, parsed.signature) : 'forged';
  if (!parsed || verdict === 'forged') {
    return sendProblem(response, 403, 'This link was not signed by this storage.');
  }
  if (verdict === 'expired') return sendProblem(response, 410, 'This link has expired. Ask for a new one.');
  try {
    await serveObject(store, parsed.key, request, response);
  } catch (error) {
    if (!response.headersSent) {
      const { code } = StorageError.from(error);
      if (code === 'ABORTED') return;
      if (code === 'NOT_FOUND') return sendProblem(response, 404, 'There is no such object.');
      // overwritten between looking and opening: the next request finds the new version
      if (code === 'PRECONDITION_FAILED') return sendProblem(response, 503, 'The object has just changed. Try again.');
      sendProblem(response, code === 'UNAVAILABLE' ? 503 : 500, `The storage failed (${code}).`);
    }
    throw error;
  }
}

function sendProblem(response: ServerResponse, status: keyof typeof TITLES, detail: string): void {
  const body = JSON.stringify({ type: 'about:blank', title: TITLES[status], status, detail });
  response.writeHead(status, {
    'content-type': 'application/problem+json',
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
  });
  response.end(body);
}
