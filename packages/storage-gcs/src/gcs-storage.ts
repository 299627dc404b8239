import {
  assertObjectKey,
  type ByteSource,
  type CallOptions,
  type CheckLevel,
  type CheckReport,
  type DeleteOptions,
  type IssuedUrl,
  type ObjectInfo,
  type OpenedObject,
  type OpenOptions,
  type PutOptions,
  STORAGE_API_VERSION,
  type StorageCapabilities,
  StorageError,
  type StoragePlugin,
  type StoredObject,
  type UrlOptions,
} from '@paradoxon/storage';
import type { Storage } from '@google-cloud/storage';
import { assertNotAborted, BodyReader, PartUploader } from '@paradoxon/storage/plugin';
import { GcsClient } from './gcs-client.ts';
import { checkBucket } from './gcs-check.ts';
import { abortError, type GcsCall, gcsError, mayBeDone, withCommitted } from './gcs-errors.ts';
import { MAX_TTL_SECONDS, signedUrl } from './gcs-links.ts';
import { listedObjects } from './gcs-listing.ts';
import { openObject } from './gcs-open.ts';
import { type GcsSettings, type GcsStorageOptions, parseGcsOptions } from './gcs-options.ts';
import { GcsUpload } from './gcs-upload.ts';
import { infoOf, OBJECT_FIELDS, objectResource, type ObjectResource } from './object-resource.ts';

const GENERATION = /^\d{1,19}$/;

/** A bucket of Google Cloud Storage, or a folder in one. */
export class GcsStorage implements StoragePlugin {
  readonly apiVersion = STORAGE_API_VERSION;
  readonly kind = 'gcs';
  readonly id: string;
  readonly capabilities: StorageCapabilities = {
    write: true,
    expiring: false,
    range: true,
    ifMatch: true,
    createIfAbsent: true,
    unknownSize: true,
    list: true,
    // unfinished uploads can neither be listed nor cost anything, and Google forgets them after a week
    sweepIncomplete: false,
    signedUrl: { maxTtlSeconds: MAX_TTL_SECONDS },
    checksums: ['crc32c'],
    maxObjectBytes: 5 * 1024 ** 4,
  };
  readonly #settings: GcsSettings;
  readonly #client: GcsClient;
  readonly #uploader: PartUploader;

  /** @throws StorageError `INVALID_CONFIG` naming every bad option, its value and what is allowed */
  constructor(id: string, options: GcsStorageOptions) {
    this.id = id;
    this.#settings = parseGcsOptions(id, options);
    this.#client = new GcsClient(this.#settings);
    const { partBytes, uploadConcurrency } = this.#settings;
    this.#uploader = new PartUploader({ partBytes, partsAtOnce: 1, extraBuffers: uploadConcurrency });
  }

  async put(key: string, body: ByteSource, options: PutOptions = {}): Promise<StoredObject> {
    const call = this.#call('put', key);
    let upload: GcsUpload | undefined;
    try {
      const name = this.#name(key, call);
      this.#assertSize(body, call);
      const find = (signal: AbortSignal): Promise<ObjectResource | undefined> => this.#find(call, name, signal);
      const { storageClass } = this.#settings;
      upload = new GcsUpload({ client: this.#client, call, name, storageClass, find }, body, options);
    } catch (error) {
      new BodyReader(body, undefined).close();
      throw error;
    }
    try {
      return infoOf(key, await this.#uploader.upload(body, upload, options.signal));
    } catch (error) {
      throw putError(error, call, upload, options.signal);
    }
  }

  async open(key: string, options: OpenOptions = {}): Promise<OpenedObject> {
    const call = { ...this.#call('open', key), key };
    const name = this.#name(key, call, options.signal);
    const find = (): Promise<ObjectResource> => this.#look(call, name, options.signal);
    const { idleTimeoutMs: idleMs } = this.#settings;
    try {
      return await openObject({ client: this.#client, call, name, idleMs, find }, options);
    } catch (error) {
      throw inContext(error, call);
    }
  }

  async head(key: string, options: CallOptions = {}): Promise<ObjectInfo> {
    const call = this.#call('head', key);
    const name = this.#name(key, call, options.signal);
    return infoOf(key, await this.#look(call, name, options.signal));
  }

  async delete(key: string, { signal, ifMatch }: DeleteOptions = {}): Promise<void> {
    const call = this.#call('delete', key);
    const name = this.#name(key, call, signal);
    if (ifMatch !== undefined && !GENERATION.test(ifMatch)) {
      throw gcsError('PRECONDITION_FAILED', 'never had such a version', call);
    }
    const url = this.#client.objectUrl(name, { ifGenerationMatch: ifMatch });
    let asked = false;
    const sending = (): void => {
      asked = true;
    };
    try {
      await this.#client.remove(call, { url, signal, sending }, ifMatch !== undefined);
    } catch (error) {
      if (!StorageError.is(error)) throw error;
      const absent =
        error.code === 'NOT_FOUND' ||
        // a condition on what is not there: also what a repetition meets when the first attempt was carried out
        (error.code === 'PRECONDITION_FAILED' && !(await this.#find(call, name, signal)));
      if (!absent) throw asked && mayBeDone(error) ? withCommitted(error, 'unknown') : error;
    }
  }

  async resolveUrl(key: string, { signal, ttlSeconds }: UrlOptions = {}): Promise<IssuedUrl> {
    const call = this.#call('resolveUrl', key);
    return signedUrl(this.#client, call, this.#name(key, call, signal), ttlSeconds, signal);
  }

  /** `gs://bucket/name`; '%', '?' and '#' are percent-encoded. */
  locate(key: string): string {
    const name = this.#name(key, this.#call('locate', key));
    return `gs://${this.#settings.bucket}/${name.replace(/[%?#]/g, encodeURIComponent)}`;
  }

  check(level: CheckLevel, { signal }: CallOptions = {}): Promise<CheckReport> {
    return checkBucket(this, this.#client, this.#settings, this.#call('check'), level, signal);
  }

  /** Objects whose names are no keys are left out: the folder markers of Google's console, for example. */
  list(prefix: string, { signal }: CallOptions = {}): AsyncGenerator<ObjectInfo> {
    return listedObjects(this.#client, this.#call('list'), this.#settings.prefix, prefix, signal);
  }

  close(): Promise<void> {
    this.#client.close();
    return Promise.resolve();
  }

  /** Google's client, with the same credentials. */
  native(): Storage {
    return this.#client.storage;
  }

  #look(call: GcsCall, name: string, signal: AbortSignal | undefined): Promise<ObjectResource> {
    const url = this.#client.objectUrl(name, { fields: OBJECT_FIELDS });
    return this.#client.ask(call, { method: 'GET', url, signal }, objectResource);
  }

  async #find(call: GcsCall, name: string, signal: AbortSignal | undefined): Promise<ObjectResource | undefined> {
    try {
      return await this.#look(call, name, signal);
    } catch (error) {
      if (StorageError.is(error) && error.code === 'NOT_FOUND') return undefined;
      throw error;
    }
  }

  /** The object's name in the bucket. @throws StorageError `INVALID_KEY`, `ABORTED` */
  #name(key: string, call: GcsCall, signal?: AbortSignal): string {
    try {
      assertNotAborted(signal);
      assertObjectKey(key);
      // with its prefix it must still be short enough
      return assertObjectKey(this.#settings.prefix + key);
    } catch (error) {
      throw inContext(error, call);
    }
  }

  #assertSize({ size = 0 }: ByteSource, call: GcsCall): void {
    const { maxObjectBytes } = this.capabilities;
    if (size > maxObjectBytes)
      throw gcsError('TOO_LARGE', `takes no object of more than ${maxObjectBytes} bytes`, call);
  }

  #call(operation: string, key?: string): GcsCall {
    return { storage: this.id, bucket: this.#settings.bucket, operation, ...(key === undefined ? {} : { key }) };
  }
}

/** An error from the contract's own helpers, under the name of this store. */
function inContext(error: unknown, call: GcsCall): unknown {
  if (!StorageError.is(error) || error.storage !== undefined) return error;
  const { bucket, ...context } = call;
  const { code, message, scope, cause } = error;
  return new StorageError(code, `Storage "${call.storage}" (gs://${bucket}): ${message}`, { scope, ...context, cause });
}

/** What the body threw stays as it is; the rest says whether the object is there. */
function putError(error: unknown, call: GcsCall, { committed }: GcsUpload, signal: AbortSignal | undefined): unknown {
  const aborted = signal?.aborted && StorageError.is(error) && error.code === 'ABORTED';
  const ours = aborted ? abortError(call, signal) : error;
  if (!StorageError.is(ours) || ours.storage !== call.storage || committed === 'no') return ours;
  return withCommitted(ours, committed);
}
