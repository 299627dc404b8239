import type { IncomingMessage, ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { parseRange } from '../byte-range.ts';
import type { ObjectInfo, OpenedObject, StoragePlugin } from '../storage-plugin.ts';

export interface ServeOptions {
  /** `Content-Disposition`; `inline` when not given. */
  readonly contentDisposition?: string;
}

/**
 * Answers GET and HEAD of one object over Node's own HTTP: 200, 206, 304 or 416, streamed, with the store's content type.
 * A HEAD is that of the whole object.
 * The client leaving, at any time, closes the store's stream at once and is no error.
 *
 * @throws StorageError of `head` and `open`, before anything was sent; or what broke the body half-way: the connection is
 *   cut by then, so that the client never takes a short body for a whole one (`response.headersSent` tells the two apart)
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
  if (response.destroyed) leave.abort();
  let opened: OpenedObject | undefined;
  let storeFailed = false;
  try {
    const info = await store.head(key, { signal: leave.signal });
    const headers = objectHeaders(store, info, options);
    if (isKnown(request.headers['if-none-match'], info)) {
      response.writeHead(304, headers).end();
      return;
    }
    const answer =
      request.method !== 'HEAD' && store.capabilities.range && rangeStillMeant(request, info)
        ? parseRange(request.headers.range, info.size)
        : { status: 200 as const };
    if (answer.status === 416) {
      response.writeHead(416, { ...headers, 'content-range': `bytes */${info.size}` }).end();
      return;
    }
    const range = answer.status === 206 ? { start: answer.start, end: answer.end } : undefined;
    const length = range ? range.end - range.start + 1 : info.size;
    if (request.method !== 'HEAD' && length > 0) {
      opened = await store.open(key, {
        signal: leave.signal,
        ...(range ? { range } : {}),
        ...(info.etag !== undefined && store.capabilities.ifMatch ? { ifMatch: info.etag } : {}),
      });
      // before pipeline's own listener: when the client has left, the response is destroyed before the body is
      opened.body.once('error', () => (storeFailed = !response.destroyed));
    }
    response.writeHead(answer.status, {
      ...headers,
      'content-length': length,
      ...(range ? { 'content-range': `bytes ${range.start}-${range.end}/${info.size}` } : {}),
    });
    if (opened) await pipeline(opened.body, response);
    else response.end();
  } catch (error) {
    if (storeFailed || !leave.signal.aborted) throw error;
  } finally {
    opened?.body.destroy();
  }
}

function objectHeaders(store: StoragePlugin, info: ObjectInfo, options: ServeOptions): Record<string, string> {
  return {
    'accept-ranges': store.capabilities.range ? 'bytes' : 'none',
    'content-type': info.contentType ?? 'application/octet-stream',
    'content-disposition': options.contentDisposition ?? 'inline',
    'x-content-type-options': 'nosniff',
    // an object may be replaced: unless its store says better, a client asks again each time
    'cache-control': info.cacheControl ?? 'no-cache',
    ...(info.etag === undefined ? {} : { etag: quoted(info.etag) }),
    ...(info.lastModified === undefined ? {} : { 'last-modified': info.lastModified.toUTCString() }),
  };
}

/** `If-None-Match`: a list of versions the client has, compared weakly, or `*`. */
function isKnown(versions: string | undefined, info: ObjectInfo): boolean {
  if (versions === undefined) return false;
  if (versions.trim() === '*') return true;
  const { etag } = info;
  if (etag === undefined) return false;
  const known = versions.match(/(W\/)?"[^"]*"/g) ?? [];
  return known.some((each) => opaque(each) === opaque(quoted(etag)));
}

/** `If-Range`: a range of another version than the client has is answered with the whole object. */
function rangeStillMeant(request: IncomingMessage, info: ObjectInfo): boolean {
  const validator = request.headers['if-range'];
  return validator === undefined || (info.etag !== undefined && validator === quoted(info.etag));
}

const quoted = (etag: string): string => (/^(W\/)?"/.test(etag) ? etag : `"${etag}"`);
const opaque = (tag: string): string => tag.replace(/^W\//, '');
