import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http';

/** One request with its body. */
export interface WireRequest {
  readonly method: string;
  /** As it was sent: percent-encoded, without the query. */
  readonly path: string;
  readonly query: URLSearchParams;
  /** What stands behind the `?`, as it was sent. */
  readonly search: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  /** The connection broke before the body had ended. */
  readonly cut: boolean;
}

export interface Answer {
  readonly status: number;
  readonly headers: OutgoingHttpHeaders;
  readonly body: Uint8Array;
}

export function answer(status: number, headers: OutgoingHttpHeaders = {}, body: Uint8Array | string = ''): Answer {
  return { status, headers, body: typeof body === 'string' ? Buffer.from(body) : body };
}

export function jsonAnswer(status: number, value: object, headers: OutgoingHttpHeaders = {}): Answer {
  return answer(status, { 'content-type': 'application/json; charset=UTF-8', ...headers }, JSON.stringify(value));
}

/** @returns the path without its percent-encoding, or as it is when that is broken */
export function decodedPath(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch (error) {
    if (error instanceof URIError) return path;
    throw error;
  }
}

/** @returns the value of a header that makes sense only once */
export function headerOf(request: Pick<WireRequest, 'headers'>, name: string): string | undefined {
  const value = request.headers[name];
  return Array.isArray(value) ? value.join(', ') : value;
}
