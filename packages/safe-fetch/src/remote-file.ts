import { type Readable } from 'node:stream';
import { checksumsOf, type FileChecksums } from './checksum-headers.ts';
import { FetchError } from './fetch-error.ts';
import { statusError } from './status-error.ts';

export interface OpenFileOptions {
  /** First byte wanted. Default 0. */
  readonly start?: number;
  /** Last byte wanted, inclusive. Default: the last one there is. */
  readonly end?: number;
  /** A strong ETag as it was reported: the bytes must be of that version. */
  readonly ifRange?: string;
  /** The whole file's size as it was reported, bytes: the file must still have it, and nothing behind it is requested. */
  readonly expectedSize?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

export interface RemoteFile {
  /** The URL that answered, after redirects. It may carry a secret. */
  readonly url: string;
  /** The whole file, bytes. */
  readonly size?: number;
  readonly contentType?: string;
  readonly etag?: string;
  readonly lastModified?: Date;
  /** What the server says about the whole stored file, lower-case hex. */
  readonly checksums: FileChecksums;
  /** What is served, both ends inclusive, when a range was asked for. */
  readonly range?: { readonly start: number; readonly end: number };
  /** Fails when it is cut short; never ends quietly. Read it or destroy it: until then it holds a connection. */
  readonly body: Readable;
  readonly supportsRange: boolean;
}

/** Everything an answer's headers say about a file, and how its body will be known to be whole. */
export interface FileHeaders extends Omit<RemoteFile, 'body'> {
  readonly expectedBytes?: number;
  readonly endUnknown: boolean;
}

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly url: URL;
}

const asksForRange = ({ start = 0, end }: OpenFileOptions): boolean => start > 0 || end !== undefined;

/**
 * The request headers for a (part of a) file.
 * @throws RangeError for offsets that are no offsets
 * @throws FetchError `RANGE_NOT_SATISFIABLE` when no byte can be in the range, `UNSUPPORTED` for a weak validator
 */
export function fileRequestHeaders(options: OpenFileOptions): Record<string, string> {
  const { start = 0, end, ifRange, expectedSize } = options;
  for (const offset of [start, end ?? 0]) {
    if (!Number.isSafeInteger(offset) || offset < 0) throw new RangeError(`${offset} is not an offset in bytes.`);
  }
  if (asksForRange(options) && start > Math.min(end ?? Infinity, (expectedSize ?? Infinity) - 1)) {
    const known = expectedSize === undefined ? '' : ` of ${expectedSize}`;
    throw new FetchError('RANGE_NOT_SATISFIABLE', `There are no bytes ${start}-${end ?? ''}${known}.`);
  }
  if (ifRange !== undefined && !/^"[^"]*"$/.test(ifRange)) {
    throw new FetchError(
      'UNSUPPORTED',
      `${ifRange} is not a strong ETag: it cannot prove that two parts belong together.`,
    );
  }
  if (!asksForRange(options)) return {};
  return { range: `bytes=${start}-${end ?? ''}`, ...(ifRange === undefined ? {} : { 'if-range': ifRange }) };
}

/**
 * Reads the answer to such a request.
 * @throws FetchError when it is not the file, the version or the range that was asked for
 */
export function readFileHeaders(answer: Answer, options: OpenFileOptions): FileHeaders {
  const { status, headers, url } = answer;
  const refuse = (code: FetchError['code'], message: string): FetchError =>
    new FetchError(code, message, { url, httpStatus: status });

  if (status !== 200 && status !== 206) throw statusError(status, headers, url);
  const { 'content-encoding': encoding = 'identity', 'transfer-encoding': transfer } = headers;
  if (encoding !== 'identity' || (transfer ?? 'chunked') !== 'chunked') {
    throw refuse(
      'UNSUPPORTED',
      `The bytes are sent encoded (${encoding}, ${transfer}), though identity was asked for.`,
    );
  }
  const etag = headers['etag'];
  const confirmed = options.ifRange === undefined || etag === options.ifRange;
  if (!confirmed && (etag !== undefined || !asksForRange(options))) {
    throw refuse(
      'SOURCE_CHANGED',
      `The file is now ${etag ?? 'without an ETag'}; reading began with ${options.ifRange}.`,
    );
  }
  if (asksForRange(options) && status === 200) {
    throw refuse('RANGE_IGNORED', 'A range was asked for and the whole file is served.');
  }

  const length = headers['content-length'] === undefined ? undefined : Number(headers['content-length']);
  const part = status === 206 ? readContentRange(answer, options, length) : undefined;
  const size = part ? part.size : length;
  if (options.expectedSize !== undefined && size !== undefined && size !== options.expectedSize) {
    throw refuse('SOURCE_CHANGED', `The file has ${size} bytes now; reading began with ${options.expectedSize}.`);
  }
  const expectedBytes = part ? part.end - part.start + 1 : length;
  const lastModified = new Date(headers['last-modified'] ?? Number.NaN);
  const contentType = headers['content-type'];
  return {
    url: url.href,
    ...(size === undefined ? {} : { size }),
    ...(contentType === undefined ? {} : { contentType }),
    ...(etag === undefined ? {} : { etag }),
    ...(Number.isNaN(lastModified.getTime()) ? {} : { lastModified }),
    checksums: checksumsOf(headers, status === 200),
    ...(part ? { range: { start: part.start, end: part.end } } : {}),
    supportsRange: status === 206 || /\bbytes\b/i.test(headers['accept-ranges'] ?? ''),
    ...(expectedBytes === undefined ? {} : { expectedBytes }),
    // HTTP/1.0 and `Connection: close` bodies: a cut connection ends them as well as a complete one
    endUnknown: expectedBytes === undefined && transfer === undefined,
  };
}

/** @throws FetchError `RANGE_IGNORED` unless exactly what was asked for is served */
function readContentRange(
  { headers, url, status }: Answer,
  { start = 0, end = Infinity, ...options }: OpenFileOptions,
  length: number | undefined,
): { start: number; end: number; size?: number } {
  const header = headers['content-range'] ?? 'none';
  const match = /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(header);
  const served = { start: Number(match?.[1]), end: Number(match?.[2]) };
  const size = match?.[3] === '*' ? options.expectedSize : Number(match?.[3]);
  // an open end is the last byte; without a total there is no telling which one that is
  const last = Math.min(end, (size ?? Infinity) - 1);
  const exact = served.start === start && (last === Infinity || served.end === last);
  if (!match || !exact || served.end < served.start || (length ?? served.end - start + 1) !== served.end - start + 1) {
    const wanted = `${start}-${end === Infinity ? '' : end}`;
    const message = `Bytes ${wanted} were asked for; the answer has Content-Range: ${header}, Content-Length: ${length}.`;
    throw new FetchError('RANGE_IGNORED', message, { url, httpStatus: status });
  }
  return { ...served, ...(size === undefined ? {} : { size }) };
}
