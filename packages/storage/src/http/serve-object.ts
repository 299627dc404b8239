import type { IncomingMessage, ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { parseRange } from '../byte-range.ts';
import type { ObjectInfo, StoragePlugin } from '../storage-plugin.ts';

export interface ServeOptions {
  /** `Content-Disposition`; `inline` when not given. */
  readonly contentDisposition?: string;
}

/**
 * Answers GET and HEAD of one object over Node's own HTTP: 200, 206, 304 or 416, streamed, with the store's content type.
 * The client leaving closes the store's stream at once and is no error.
 *
 * @throws StorageError of `head` and `open`, before anything was sent; afterwards the connection is cut, so that a client
 *   never takes a short body for a whole one
 */
export async function serveObject(
  store: StoragePlugin,
  key: string,
  request: IncomingMessage,
  response: ServerResponse,
  options: ServeOptions = {},
): Promise<void> {
  const leave = new AbortController();
  response.once('close', () => leave.abort());
  const info = await store.head(key, { signal: leave.signal });
  const headers = objectHeaders(info, options);
  if (info.etag !== undefined && request.headers['if-none-match'] === quoted(info.etag)) {
    response.writeHead(304, headers).end();
    return;
  }
  const answer = rangeStillMeant(request, info)
    ? parseRange(request.headers.range, info.size)
    : { status: 200 as const };
  if (answer.status === 416) {
    response.writeHead(416, { ...headers, 'content-range': `bytes */${info.size}` }).end();
    return;
  }
  const range = answer.status === 206 ? { start: answer.start, end: answer.end } : undefined;
  const length = range ? range.end - range.start + 1 : info.size;
  const opened =
    request.method === 'HEAD' || length === 0
      ? undefined
      : await store.open(key, {
          signal: leave.signal,
          ...(range ? { range } : {}),
          ...(info.etag !== undefined && store.capabilities.ifMatch ? { ifMatch: info.etag } : {}),
        });
  response.writeHead(answer.status, {
    ...headers,
    'content-length': length,
    ...(range ? { 'content-range': `bytes ${range.start}-${range.end}/${info.size}` } : {}),
  });
  if (!opened) {
    response.end();
    return;
  }
  try {
    await pipeline(opened.body, response);
  } catch (error) {
    // the head is out: all that is left to say is a broken connection, which pipeline has already made
    if (!leave.signal.aborted && !response.destroyed) throw error;
  }
}

function objectHeaders(info: ObjectInfo, options: ServeOptions): Record<string, string> {
  return {
    'accept-ranges': 'bytes',
    'content-type': info.contentType ?? 'application/octet-stream',
    'content-disposition': options.contentDisposition ?? 'inline',
    'x-content-type-options': 'nosniff',
    ...(info.cacheControl === undefined ? {} : { 'cache-control': info.cacheControl }),
    ...(info.etag === undefined ? {} : { etag: quoted(info.etag) }),
    ...(info.lastModified === undefined ? {} : { 'last-modified': info.lastModified.toUTCString() }),
  };
}

/** `If-Range`: a range of another version than the client has is answered with the whole object. */
function rangeStillMeant(request: IncomingMessage, info: ObjectInfo): boolean {
  const validator = request.headers['if-range'];
  return validator === undefined || (info.etag !== undefined && validator === quoted(info.etag));
}

const quoted = (etag: string): string => (/^(W\/)?"/.test(etag) ? etag : `"${etag}"`);
