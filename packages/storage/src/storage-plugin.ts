import type { Readable } from 'node:stream';
import type { ByteRange } from './byte-range.ts';
import type { StorageCapabilities } from './storage-capabilities.ts';

/** The contract's version. A plugin made for another one is refused when it registers. */
export const STORAGE_API_VERSION = 1;

/**
 * One configured place where objects live: a bucket, a container, a folder, or (read-only) a generator's own URLs.
 *
 * Every call settles as soon as its `signal` aborts and leaves nothing half done. Every rejection is a `StorageError`.
 * Two instances share nothing: two buckets of one kind are two ids.
 */
export interface StoragePlugin {
  readonly apiVersion: typeof STORAGE_API_VERSION;
  /** The technology: 's3', 'gcs', 'local', … or a third party's. Lower case, digits and dashes. */
  readonly kind: string;
  /** The configured instance, unique in a host. Same characters as `kind`. */
  readonly id: string;
  readonly capabilities: StorageCapabilities;

  /**
   * Stores `body` under `key`. Atomic: the object is visible only once this resolves, and nothing is left when it rejects
   * (or the error says `committed: 'unknown'`).
   * @returns what the store itself says it holds; its `checksums` come from the store, not from `body`
   * @throws `ALREADY_EXISTS` with `ifAbsent`; `SOURCE_TRUNCATED`, or whatever `body.chunks` threw, unchanged; `UNSUPPORTED` when read-only
   */
  put(key: string, body: ByteSource, options?: PutOptions): Promise<StoredObject>;

  /**
   * Opens an object for reading. Destroy `body` when you stop early: that closes the connection behind it.
   * @throws `NOT_FOUND`, `PRECONDITION_FAILED` (`ifMatch`), `RANGE_NOT_SATISFIABLE`, `RANGE_IGNORED`
   */
  open(key: string, options?: OpenOptions): Promise<OpenedObject>;

  /** @throws `NOT_FOUND`, and only when the store really said that there is no such object */
  head(key: string, options?: CallOptions): Promise<ObjectInfo>;

  /** Deletes the object; deleting an absent one resolves. @throws `PRECONDITION_FAILED` when `ifMatch` names another version */
  delete(key: string, options?: DeleteOptions): Promise<void>;

  /** A URL that plain HTTP can GET, issued now, never to be stored. Does not ask whether the object exists. */
  resolveUrl(key: string, options?: UrlOptions): Promise<IssuedUrl>;

  /** Where the object is, in the store's own notation (`s3://bucket/key`, `file:///…`). Names it; grants nothing; no I/O. */
  locate(key: string): string;

  /** Asks whether the store can be used; what doctor and readiness show. Resolves with `ok: false` rather than rejecting. */
  check(level: CheckLevel, options?: CallOptions): Promise<CheckReport>;

  /** All objects whose key starts with `prefix`, in no promised order. Present exactly when `capabilities.list`. */
  list?(prefix: string, options?: CallOptions): AsyncIterable<ObjectInfo>;

  /** Removes what uploads that began before `olderThan` left behind. Present exactly when `capabilities.sweepIncomplete`. */
  sweepIncomplete?(olderThan: Date, options?: CallOptions): Promise<SweepReport>;

  close?(): Promise<void>;

  /** The SDK's client, for what the contract leaves out. */
  native?(): unknown;
}

export interface CallOptions {
  readonly signal?: AbortSignal;
}

/**
 * Bytes on their way into a store. The giver counts, hashes and limits them, and `chunks` **throws** when they end short.
 *
 * A chunk belongs to the giver again as soon as the next one is asked for: a plugin that keeps bytes longer copies them.
 */
export interface ByteSource {
  /** Bytes in all, when known. A plugin refuses a body of another length with `SOURCE_TRUNCATED` or `TOO_LARGE`. */
  readonly size?: number;
  readonly chunks: AsyncIterable<Uint8Array>;
  /** Checksums of everything that `chunks` gave; to be called once it has ended. For stores that verify at commit. */
  readonly checksums?: () => Checksums;
}

export interface PutOptions extends CallOptions {
  /** MIME type; `application/octet-stream` when not given. */
  readonly contentType?: string;
  readonly cacheControl?: string;
  /** Names `[a-z0-9-]+`, values printable ASCII: what every store keeps unchanged. */
  readonly metadata?: Readonly<Record<string, string>>;
  /** Create only: of any number of writers one wins, the others get `ALREADY_EXISTS`. */
  readonly ifAbsent?: boolean;
}

export interface OpenOptions extends CallOptions {
  readonly range?: ByteRange;
  /** An `etag` as the plugin reported it. */
  readonly ifMatch?: string;
}

export interface DeleteOptions extends CallOptions {
  readonly ifMatch?: string;
}

export interface UrlOptions extends CallOptions {
  /** Wanted life, seconds; 900 when not given. The answer's `expiresAt` says what it became. */
  readonly ttlSeconds?: number;
}

/** Lower-case hexadecimal digests of the whole object, never of parts. */
export type Checksums = Readonly<Partial<Record<ChecksumAlgorithm, string>>>;
export type ChecksumAlgorithm = 'sha256' | 'md5' | 'crc32c' | 'crc64nvme';

export interface ObjectInfo {
  readonly key: string;
  /** Bytes of the whole object. */
  readonly size: number;
  /** Changes with every write of the key. Opaque: no hash of the content may be read into it. */
  readonly etag?: string;
  readonly contentType?: string;
  readonly cacheControl?: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly lastModified?: Date;
  /** What the store itself knows; empty when it knows none. */
  readonly checksums: Checksums;
  /** When the object will disappear by itself; only where `capabilities.expiring`, and there only when it is known. */
  readonly expiresAt?: Date;
}

export type StoredObject = ObjectInfo;

export interface OpenedObject extends Omit<ObjectInfo, 'size'> {
  /** Bytes of the whole object. Absent only in an `expiring` store, whose source may not say how much is to come. */
  readonly size?: number;
  /** Exactly the bytes of `range`, else of the whole object; errors instead of ending short. */
  readonly body: Readable;
  /** What is served, both ends inclusive; absent when it is the whole object. */
  readonly range?: { readonly start: number; readonly end: number };
}

export interface IssuedUrl {
  readonly url: string;
  /** The truth: the earliest of what was asked, the store's maximum and the signing credential's end. `null` = never. */
  readonly expiresAt: Date | null;
  readonly supportsRange: boolean;
}

/** `config`: no I/O · `reach`: the store answers and the credentials are good · `write`: a canary is written, read and deleted. */
export type CheckLevel = 'config' | 'reach' | 'write';

export interface CheckReport {
  readonly ok: boolean;
  readonly steps: readonly CheckStep[];
}

export interface CheckStep {
  /** 'root exists', 'put', 'range', … */
  readonly name: string;
  readonly ok: boolean;
  /** What was found and, when not ok, what to do. */
  readonly detail?: string;
}

export interface SweepReport {
  /** Abandoned uploads removed. */
  readonly removed: number;
}
