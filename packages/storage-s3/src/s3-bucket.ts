import { HeadBucketCommand } from '@aws-sdk/client-s3';
import { assertObjectKey, MAX_KEY_BYTES, StorageError } from '@paradoxon/storage';
import { assertNotAborted, untilAborted } from '@paradoxon/storage/plugin';
import { makeClients, type S3Clients } from './s3-clients.ts';
import { type S3Call, type S3Permission, toStorageError } from './s3-errors.ts';
import type { S3Settings } from './s3-options.ts';

/** One method of the store at work: who is told about its errors, and who may stop it. */
export interface Work {
  readonly operation: string;
  readonly key?: string;
  readonly signal?: AbortSignal | undefined;
}

export interface Asking {
  readonly permission: S3Permission;
  readonly commits?: boolean;
  readonly ifAbsent?: boolean;
}

/** Sends one SDK command with one of the clients. */
export type Send<T> = (clients: S3Clients, http: { readonly abortSignal?: AbortSignal }) => Promise<T>;

/** The bucket behind one store: its clients, its names, and its errors in our words. */
export class S3Bucket {
  readonly storage: string;
  readonly settings: S3Settings;
  readonly clients: S3Clients;

  constructor(storage: string, settings: S3Settings) {
    this.storage = storage;
    this.settings = settings;
    this.clients = makeClients(settings);
  }

  get name(): string {
    return this.settings.bucket;
  }

  /** The key in the bucket. @throws StorageError `INVALID_KEY` */
  pathOf(key: string): string {
    const path = this.settings.prefix + assertObjectKey(key);
    if (Buffer.byteLength(path) <= MAX_KEY_BYTES) return path;
    throw new StorageError('INVALID_KEY', `${path} is longer than ${MAX_KEY_BYTES} bytes, prefix included.`, {
      scope: 'local',
    });
  }

  /**
   * One request. Settles as soon as the work's signal aborts.
   * @throws StorageError, and nothing else
   */
  async ask<T>(work: Work, asking: Asking, send: Send<T>): Promise<T> {
    const { signal } = work;
    // a request that was never begun has no effect
    assertNotAborted(signal);
    try {
      return await untilAborted(send(this.clients, signal ? { abortSignal: signal } : {}), signal);
    } catch (error) {
      throw toStorageError(error, this.call(work, asking));
    }
  }

  /**
   * What a 404 without a body means, as that of HEAD: it cannot say whether it is the object that is missing or the bucket.
   * @throws StorageError the error itself, or what is wrong with the bucket
   */
  async explain404(error: unknown, work: Work): Promise<never> {
    if (!StorageError.is(error) || error.code !== 'NOT_FOUND' || nameOf(error.cause) !== 'NotFound') throw error;
    try {
      const command = new HeadBucketCommand({ Bucket: this.name });
      await this.ask(work, { permission: 's3:ListBucket' }, ({ control }, http) => control.send(command, http));
    } catch (bucketError) {
      // of a bucket that may not be looked at, the object is missing all the same: the server has said so
      if (!StorageError.is(bucketError) || bucketError.code !== 'PERMISSION_DENIED') throw bucketError;
    }
    throw error;
  }

  call(work: Work, asking: Partial<Asking> = {}): S3Call {
    const { operation, key } = work;
    const { bucket, region, endpoint, prefix } = this.settings;
    return {
      storage: this.storage,
      bucket,
      region,
      endpoint,
      operation,
      ...(key === undefined ? {} : { key, path: prefix + key }),
      ...asking,
    };
  }

  close(): void {
    this.clients.close();
  }
}

const nameOf = (error: unknown): unknown => (error as { name?: unknown } | undefined)?.name;
