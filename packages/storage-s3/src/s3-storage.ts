import type { S3Client } from '@aws-sdk/client-s3';
import {
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
  type SweepReport,
  type UrlOptions,
} from '@paradoxon/storage';
import { assertNotAborted, BodyReader, PartUploader } from '@paradoxon/storage/plugin';
import { MAX_OBJECT_BYTES } from './part-size.ts';
import { S3Bucket } from './s3-bucket.ts';
import { checkBucket } from './s3-check.ts';
import { deleteObject } from './s3-delete.ts';
import { toStorageError } from './s3-errors.ts';
import { MAX_TTL_SECONDS, signLink } from './s3-link.ts';
import { listObjects } from './s3-listing.ts';
import { headObject } from './s3-object.ts';
import { openObject } from './s3-open.ts';
import { parseS3Options, type S3StorageOptions } from './s3-options.ts';
import { sweepUploads } from './s3-sweep.ts';
import { S3Upload, type Taken } from './s3-upload.ts';
import { verifyUpload } from './s3-verify.ts';

/** A bucket on AWS S3, or on any server that speaks it, or what lies below a prefix in it. */
export class S3Storage implements StoragePlugin {
  readonly apiVersion = STORAGE_API_VERSION;
  readonly kind = 's3';
  readonly id: string;
  readonly capabilities: StorageCapabilities;
  readonly #bucket: S3Bucket;
  readonly #uploader: PartUploader;

  /** @throws StorageError `INVALID_CONFIG` naming every bad option, its value and what is allowed */
  constructor(id: string, options: S3StorageOptions) {
    const settings = parseS3Options(id, options);
    this.id = id;
    this.#bucket = new S3Bucket(id, settings);
    this.#uploader = new PartUploader({
      partBytes: settings.partBytes,
      partsAtOnce: settings.uploadConcurrency,
      extraBuffers: settings.uploadConcurrency,
    });
    this.capabilities = {
      write: true,
      expiring: false,
      range: true,
      ifMatch: true,
      createIfAbsent: settings.conditionalWrites,
      unknownSize: true,
      list: true,
      sweepIncomplete: true,
      signedUrl: { maxTtlSeconds: MAX_TTL_SECONDS },
      checksums: settings.requestChecksumCalculation === 'WHEN_SUPPORTED' ? ['crc32c'] : [],
      maxObjectBytes: MAX_OBJECT_BYTES,
    };
  }

  async put(key: string, body: ByteSource, options: PutOptions = {}): Promise<StoredObject> {
    const { signal, ifAbsent = false } = options;
    const call = this.#bucket.call({ operation: 'put', key });
    let upload: S3Upload;
    try {
      assertNotAborted(signal);
      if (ifAbsent && !this.capabilities.createIfAbsent) {
        throw new StorageError('UNSUPPORTED', `Storage "${this.id}" has conditionalWrites off: it cannot create only.`);
      }
      upload = new S3Upload(this.#bucket, key, body, options);
    } catch (error) {
      new BodyReader(body, undefined).close();
      throw toStorageError(error, call);
    }
    let taken: Taken;
    try {
      taken = await this.#uploader.upload(body, upload, signal);
    } catch (error) {
      // what the body threw stays as it is; what the upload met has its call already
      throw signal?.aborted && StorageError.is(error) && error.code === 'ABORTED' ? toStorageError(error, call) : error;
    }
    return verifyUpload(this.#bucket, key, options, taken);
  }

  open(key: string, options: OpenOptions = {}): Promise<OpenedObject> {
    return this.#run('open', key, options, () => openObject(this.#bucket, key, options));
  }

  head(key: string, options: CallOptions = {}): Promise<ObjectInfo> {
    return this.#run('head', key, options, () => headObject(this.#bucket, key, { operation: 'head', key, ...options }));
  }

  delete(key: string, options: DeleteOptions = {}): Promise<void> {
    const { signal, ifMatch } = options;
    return this.#run('delete', key, options, () =>
      deleteObject(this.#bucket, key, { operation: 'delete', key, signal }, ifMatch),
    );
  }

  /** A signed GET of at most seven days. It ends with the credentials that sign it, and `expiresAt` says so. */
  resolveUrl(key: string, options: UrlOptions = {}): Promise<IssuedUrl> {
    return this.#run('resolveUrl', key, options, () => signLink(this.#bucket, key, options));
  }

  /** `s3://bucket/prefix/key`, with what a URL would misread encoded. */
  locate(key: string): string {
    return `s3://${this.#bucket.name}/${this.#bucket.pathOf(key).split('/').map(encodeURIComponent).join('/')}`;
  }

  check(level: CheckLevel, options: CallOptions = {}): Promise<CheckReport> {
    return this.#run('check', undefined, options, () => checkBucket(this, this.#bucket, level, options.signal));
  }

  async *list(prefix: string, options: CallOptions = {}): AsyncGenerator<ObjectInfo> {
    const work = { operation: 'list', ...options };
    try {
      yield* listObjects(this.#bucket, prefix, work);
    } catch (error) {
      throw toStorageError(error, this.#bucket.call(work));
    }
  }

  sweepIncomplete(olderThan: Date, options: CallOptions = {}): Promise<SweepReport> {
    const work = { operation: 'sweepIncomplete', ...options };
    return this.#run('sweepIncomplete', undefined, options, () => sweepUploads(this.#bucket, olderThan, work));
  }

  /** Ends all connections, also those in use. */
  close(): Promise<void> {
    this.#bucket.close();
    return Promise.resolve();
  }

  /** The client that uploads. */
  native(): S3Client {
    return this.#bucket.clients.upload;
  }

  async #run<T>(
    operation: string,
    key: string | undefined,
    { signal }: CallOptions,
    work: () => Promise<T>,
  ): Promise<T> {
    try {
      assertNotAborted(signal);
      return await work();
    } catch (error) {
      throw toStorageError(error, this.#bucket.call({ operation, ...(key === undefined ? {} : { key }) }));
    }
  }
}
