import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { extname, resolve, sep } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { parseRange } from '@paradoxon/storage';
import { type ServedFile, servedFile, type SourceFile } from './source-file.ts';

export interface SourceServerOptions {
  /** By path as it was before any percent-encoding: `'/film/scene 1.mp4'`. */
  readonly files?: Readonly<Record<string, SourceFile>>;
  /** A folder of which every file is served, under its path below the folder. */
  readonly folder?: string;
  /** Default 0: a free one. */
  readonly port?: number;
  /** From then on every file answers 404. */
  readonly expiresAt?: Date;
  /** Serves https. Both PEM. */
  readonly tls?: { readonly key: string; readonly cert: string };
}

/**
 * What goes wrong with one request:
 * a status alone, or with headers and body · `reset`: RST instead of an answer · `cut`: half the body, then the connection
 * closes · `stall`: half the body, then silence · `corrupt`: one byte is wrong, the checksums in the headers are right ·
 * `ignore-range`: 200 and the whole file · `no-length`: 200, chunked, no `Content-Length`, no checksums.
 */
export type SourceFault =
  | number
  | { readonly status: number; readonly headers?: Readonly<Record<string, string>>; readonly body?: string }
  | 'reset'
  | 'cut'
  | 'stall'
  | 'corrupt'
  | 'ignore-range'
  | 'no-length';

export interface SourceRequest {
  readonly method: string;
  /** Decoded, without its query. */
  readonly path: string;
  readonly range?: string;
  readonly ifRange?: string;
  /** 0 when the connection was reset instead. */
  readonly status: number;
}

export interface SourceServer {
  /** `http://127.0.0.1:<port>` */
  readonly origin: string;
  readonly port: number;
  /** Everything that was asked, in order. */
  readonly requests: readonly SourceRequest[];
  /** @param name as in `files`; percent-encoded where it must be */
  url(name: string): string;
  /** The next requests for `name` go wrong, one after the other. */
  fail(name: string, faults: readonly SourceFault[]): void;
  /** Faults that no request has met yet: a test that expects them all ends with 0. */
  pendingFaults(): number;
  /** Deletes the file, as the generator does after its hour: 404 `{"detail":"requested file not found"}`. */
  expire(name: string): void;
  /** Another content under the same name: another ETag. */
  replace(name: string, file: SourceFile): void;
  /** Closes the port and every connection. */
  close(): Promise<void>;
}

const CONTENT_TYPES: Readonly<Record<string, string>> = {
  '.mp4': 'video/mp4',
  '.webm': 'video/webm',
  '.mov': 'video/quicktime',
  '.json': 'application/json',
  '.html': 'text/html',
  '.txt': 'text/plain',
};

/**
 * Starts a file host on 127.0.0.1 that answers as Replicate's does (recorded 2024-08): GET and HEAD, Range and If-Range, a
 * strong ETag (the MD5, for files given as bytes), Content-Length, `x-goog-hash`, CORS `*`, and 404 once a file is deleted.
 */
export async function startSourceServer(options: SourceServerOptions = {}): Promise<SourceServer> {
  const files = new Map<string, SourceFile>(Object.entries(options.files ?? {}));
  const expired = new Set<string>();
  const faults = new Map<string, SourceFault[]>();
  const requests: SourceRequest[] = [];

  async function find(name: string): Promise<ServedFile | undefined> {
    if (expired.has(name) || (options.expiresAt && options.expiresAt <= new Date())) return undefined;
    const file = files.get(name) ?? (options.folder === undefined ? undefined : pathInFolder(options.folder, name));
    return file === undefined ? undefined : servedFile(file);
  }

  const listener: RequestListener = (request, response) => {
    const name = nameOf(request);
    const fault = faults.get(name)?.shift();
    const log = (status: number): void => {
      requests.push({
        method: request.method ?? '',
        path: name,
        ...(request.headers.range === undefined ? {} : { range: request.headers.range }),
        ...(typeof request.headers['if-range'] === 'string' ? { ifRange: request.headers['if-range'] } : {}),
        status,
      });
    };
    if (fault === 'reset') {
      log(0);
      request.socket.resetAndDestroy();
      return;
    }
    if (typeof fault === 'number' || typeof fault === 'object') {
      const { status, headers = {}, body = '' } = typeof fault === 'number' ? { status: fault } : fault;
      log(status);
      response.writeHead(status, { 'content-type': 'text/plain', ...headers }).end(body);
      return;
    }
    find(name)
      .then((file) => answer(request, response, name, file, fault, log))
      // a client that leaves, or a file that vanished while it was being served: the connection is all that can tell
      .catch(() => response.destroy());
  };
  const server = options.tls ? createTlsServer(options.tls, listener) : createServer(listener);
  await new Promise<void>((listening, failed) => {
    server.once('error', failed).listen(options.port ?? 0, '127.0.0.1', listening);
  });
  const { port } = server.address() as AddressInfo;
  const origin = `${options.tls ? 'https' : 'http'}://127.0.0.1:${port}`;

  return {
    origin,
    port,
    requests,
    url: (name) => origin + name.split('/').map(encodeURIComponent).join('/'),
    fail: (name, next) => {
      faults.set(name, [...(faults.get(name) ?? []), ...next]);
    },
    pendingFaults: () => [...faults.values()].reduce((sum, { length }) => sum + length, 0),
    expire: (name) => {
      expired.add(name);
    },
    replace: (name, file) => {
      files.set(name, file);
      expired.delete(name);
    },
    close: () =>
      new Promise((closed) => {
        server.close(() => closed());
        server.closeAllConnections();
      }),
  };
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  name: string,
  file: ServedFile | undefined,
  fault: Extract<SourceFault, string> | undefined,
  log: (status: number) => void,
): Promise<void> {
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    log(405);
    response.writeHead(405, { allow: 'GET, HEAD' }).end();
    return;
  }
  if (!file) {
    log(404);
    response.writeHead(404, { 'content-type': 'application/json' }).end('{"detail":"requested file not found"}');
    return;
  }
  const ranged = rangeStillMeant(request, file) && fault !== 'ignore-range' && fault !== 'no-length';
  const range = parseRange(ranged ? request.headers.range : undefined, file.size);
  const headers = headersOf(name, file);
  log(range.status);
  if (range.status === 416) {
    response.writeHead(416, { ...headers, 'content-range': `bytes */${file.size}` }).end();
    return;
  }
  const [start, end] = range.status === 206 ? [range.start, range.end] : [0, file.size - 1];
  if (fault === 'no-length') {
    response.writeHead(200, { 'content-type': headers['content-type'] });
  } else {
    response.writeHead(range.status, {
      ...headers,
      'content-length': end - start + 1,
      ...(range.status === 206 ? { 'content-range': `bytes ${start}-${end}/${file.size}` } : {}),
    });
  }
  if (request.method === 'HEAD' || file.size === 0) {
    response.end();
    return;
  }
  if (fault === 'cut' || fault === 'stall') {
    await pipeline(file.read(start, Math.floor((start + end) / 2)), response, { end: false });
    if (fault === 'cut') response.destroy();
    return;
  }
  await pipeline(Readable.from(fault === 'corrupt' ? corrupted(file, start, end) : file.read(start, end)), response);
}

function headersOf(name: string, file: ServedFile) {
  const hashes = Object.entries(file.checksums).map(
    ([algorithm, hex]) => `${algorithm}=${Buffer.from(hex, 'hex').toString('base64')}`,
  );
  return {
    'content-type': CONTENT_TYPES[extname(name).toLowerCase()] ?? 'application/octet-stream',
    'accept-ranges': 'bytes',
    'access-control-allow-origin': '*',
    'cache-control': 'public,max-age=3600',
    etag: file.etag,
    'last-modified': file.lastModified.toUTCString(),
    ...(hashes.length > 0 ? { 'x-goog-hash': hashes } : {}),
  };
}

function rangeStillMeant(request: IncomingMessage, file: ServedFile): boolean {
  const validator = request.headers['if-range'];
  return validator === undefined || validator === file.etag || validator === file.lastModified.toUTCString();
}

async function* corrupted(file: ServedFile, start: number, end: number): AsyncGenerator<Uint8Array> {
  let first = true;
  for await (const chunk of file.read(start, end)) {
    const copy = Buffer.from(chunk);
    const last = copy.byteLength - 1;
    // the last byte: the first ones say what kind of file it is
    if (first) copy[last] = (copy[last] ?? 0) ^ 1;
    first = false;
    yield copy;
  }
}

const nameOf = (request: IncomingMessage): string => decoded((request.url ?? '/').split('?')[0] ?? '/');

function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch (error) {
    if (error instanceof URIError) return path;
    throw error;
  }
}

function pathInFolder(folder: string, name: string): string | undefined {
  const root = resolve(folder);
  const path = resolve(root, `.${name}`);
  return path.startsWith(root + sep) && !path.includes('\0') ? path : undefined;
}
