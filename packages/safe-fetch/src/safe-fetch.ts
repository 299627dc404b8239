import { type Readable } from 'node:stream';
import { FetchError } from './fetch-error.ts';
import { type FetchPolicy, type ResolvedFetchPolicy } from './fetch-policy.ts';

export interface RequestOptions {
  readonly method?: 'GET' | 'HEAD' | 'POST';
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly signal?: AbortSignal;
}

export interface FetchedResponse {
  readonly status: number;
  /** Lower-case names; repeated ones joined by ', '. */
  readonly headers: Readonly<Record<string, string>>;
  /** The URL that answered, after redirects. */
  readonly url: string;
  /** Read it or destroy it: until then it holds a connection. */
  readonly body: Readable;
}

export interface OpenFileOptions {
  /** First byte wanted. Default 0. */
  readonly start?: number;
  /** Last byte wanted, inclusive. Default: the last one there is. */
  readonly end?: number;
  /** A strong ETag as it was reported: the bytes must be of that version. */
  readonly ifRange?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

export interface RemoteFile {
  /** The URL that answered, after redirects. */
  readonly url: string;
  /** The whole file, bytes. */
  readonly size?: number;
  readonly contentType?: string;
  readonly etag?: string;
  readonly lastModified?: Date;
  /** What the server says about the whole stored file, lower-case hex. */
  readonly checksums: { readonly md5?: string; readonly crc32c?: string };
  /** What is served, both ends inclusive, when a range was asked for. */
  readonly range?: { readonly start: number; readonly end: number };
  /** Fails when it is cut short; never ends quietly. Read it or destroy it. */
  readonly body: Readable;
  readonly supportsRange: boolean;
}

export class SafeFetch {
  readonly policy: ResolvedFetchPolicy;

  constructor(policy: FetchPolicy) {
    this.policy = {
      allowedPrivateAddresses: [],
      maxRedirects: 3,
      maxBytes: 2 * 1024 ** 3,
      connectTimeoutMs: 10_000,
      headersTimeoutMs: 30_000,
      idleTimeoutMs: 30_000,
      minBytesPerSecond: 1024,
      minRateWindowMs: 30_000,
      ...policy,
    };
  }

  /** One request, redirects followed, any status answered. */
  request(_url: string | URL, _options: RequestOptions = {}): Promise<FetchedResponse> {
    return Promise.reject(new FetchError('UNSUPPORTED', 'being written'));
  }

  /** Opens a remote file for reading from byte `start`. */
  open(_url: string | URL, _options: OpenFileOptions = {}): Promise<RemoteFile> {
    return Promise.reject(new FetchError('UNSUPPORTED', 'being written'));
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
