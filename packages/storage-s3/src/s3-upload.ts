import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  type CompletedPart,
  CreateMultipartUploadCommand,
  PutObjectCommand,
  type PutObjectCommandInput,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { type ByteSource, type PutOptions, StorageError, type StorageErrorCode } from '@paradoxon/storage';
import type { Part, UploadProtocol } from '@paradoxon/storage/plugin';
import type { S3Bucket, Send, Work } from './s3-bucket.ts';
import { BodyHash, fullCrc32c, toBase64 } from './s3-checksums.ts';
import { toStorageError } from './s3-errors.ts';
import { headObject } from './s3-object.ts';
import { MAX_PARTS, partBytesFor } from './part-size.ts';

/** What the server said when it took the object. */
export interface Taken {
  readonly bytes: number;
  readonly etag: string | undefined;
  /** Of what was sent, as far as the server is to keep it. */
  readonly sentCrc32c: string | undefined;
  readonly crc32c: string | undefined;
}

/** One put, in the requests of S3: `PutObject`, or a multipart upload. */
export class S3Upload implements UploadProtocol<string, CompletedPart, Taken> {
  readonly partBytes: number;
  readonly #bucket: S3Bucket;
  readonly #work: Work;
  readonly #place: { readonly Bucket: string; readonly Key: string };
  readonly #headers: Omit<PutObjectCommandInput, 'Bucket' | 'Key'>;
  readonly #key: string;
  readonly #ifAbsent: boolean;
  readonly #hash: BodyHash;

  constructor(bucket: S3Bucket, key: string, body: ByteSource, options: PutOptions) {
    const { partBytes, storageClass, requestChecksumCalculation } = bucket.settings;
    this.partBytes = partBytesFor(body.size, partBytes);
    this.#bucket = bucket;
    this.#work = { operation: 'put', key };
    this.#place = { Bucket: bucket.name, Key: bucket.pathOf(key) };
    this.#key = key;
    this.#ifAbsent = options.ifAbsent ?? false;
    this.#hash = new BodyHash(requestChecksumCalculation === 'WHEN_SUPPORTED' ? 'crc32c' : 'md5', body);
    this.#headers = {
      ContentType: options.contentType ?? 'application/octet-stream',
      ...(options.cacheControl === undefined ? {} : { CacheControl: options.cacheControl }),
      ...(options.metadata === undefined ? {} : { Metadata: options.metadata }),
      ...(storageClass === undefined
        ? {}
        : { StorageClass: storageClass as NonNullable<PutObjectCommandInput['StorageClass']> }),
    };
  }

  async whole(bytes: Buffer, signal: AbortSignal): Promise<Taken> {
    const proof = this.#hash.single(bytes);
    const command = new PutObjectCommand({
      ...this.#place,
      ...this.#headers,
      ...this.#condition(),
      ...proof,
      Body: bytes,
    });
    const answer = await this.#commit(signal, ({ upload }, http) => upload.send(command, http));
    return {
      bytes: bytes.byteLength,
      etag: answer.ETag,
      sentCrc32c: 'ChecksumCRC32C' in proof ? fullCrc32c(proof) : undefined,
      crc32c: fullCrc32c(answer),
    };
  }

  async begin(signal: AbortSignal): Promise<string> {
    // gigabytes that would be refused at their end need not be sent
    await this.#assertAbsent(signal);
    const command = new CreateMultipartUploadCommand({
      ...this.#place,
      ...this.#headers,
      ...(this.#keepsCrc32c ? { ChecksumAlgorithm: 'CRC32C', ChecksumType: 'FULL_OBJECT' } : {}),
    });
    const { UploadId: upload } = await this.#bucket.ask(
      { ...this.#work, signal },
      { permission: 's3:PutObject' },
      ({ control }, http) => control.send(command, http),
    );
    if (upload !== undefined) return upload;
    throw this.#told('INVALID_CONFIG', 'The server has begun an upload without an id: it does not speak S3.');
  }

  async part(upload: string, { number, bytes }: Part, signal: AbortSignal): Promise<CompletedPart> {
    // hashed before the first wait, because the parts are handed over in order
    const proof = this.#hash.part(bytes);
    if (number > MAX_PARTS) {
      throw this.#told(
        'TOO_LARGE',
        `A body of unknown size has more than ${MAX_PARTS} parts of ${this.partBytes} bytes. Give its size, or set a larger partBytes.`,
      );
    }
    const command = new UploadPartCommand({
      ...this.#place,
      UploadId: upload,
      PartNumber: number,
      ...proof,
      Body: bytes,
    });
    const { ETag } = await this.#bucket.ask(
      { ...this.#work, signal },
      { permission: 's3:PutObject' },
      (clients, http) => clients.upload.send(command, http),
    );
    return { PartNumber: number, ...(ETag === undefined ? {} : { ETag }), ...('ChecksumCRC32C' in proof ? proof : {}) };
  }

  async complete(
    upload: string,
    receipts: readonly CompletedPart[],
    totalBytes: number,
    signal: AbortSignal,
  ): Promise<Taken> {
    const sentCrc32c = this.#hash.whole();
    // again, for servers that do not look at the condition here (Ceph 16): not atomic there
    await this.#assertAbsent(signal);
    const command = new CompleteMultipartUploadCommand({
      ...this.#place,
      UploadId: upload,
      MultipartUpload: { Parts: [...receipts] },
      ...this.#condition(),
      ...(sentCrc32c === undefined ? {} : { ChecksumCRC32C: toBase64(sentCrc32c), ChecksumType: 'FULL_OBJECT' }),
    });
    const answer = await this.#commit(signal, ({ control }, http) => control.send(command, http));
    return { bytes: totalBytes, etag: answer.ETag, sentCrc32c, crc32c: fullCrc32c(answer) };
  }

  async cancel(upload: string): Promise<void> {
    const command = new AbortMultipartUploadCommand({ ...this.#place, UploadId: upload });
    await this.#bucket.ask(this.#work, { permission: 's3:AbortMultipartUpload' }, ({ control }, http) =>
      control.send(command, http),
    );
  }

  get #keepsCrc32c(): boolean {
    return this.#bucket.settings.requestChecksumCalculation === 'WHEN_SUPPORTED';
  }

  #condition(): { IfNoneMatch?: '*' } {
    return this.#ifAbsent ? { IfNoneMatch: '*' } : {};
  }

  /** The request that makes the object visible. */
  async #commit<T>(signal: AbortSignal, send: Send<T>): Promise<T> {
    const asking = { permission: 's3:PutObject', commits: true, ifAbsent: this.#ifAbsent } as const;
    try {
      return await this.#bucket.ask({ ...this.#work, signal }, asking, send);
    } catch (error) {
      // AWS answers the loser of a race with 409, and leaves it to him to see whether the winner got through
      if (StorageError.is(error) && error.httpStatus === 409) await this.#assertAbsent(signal);
      throw error;
    }
  }

  /** @throws StorageError `ALREADY_EXISTS` when the object is only to be created, and is there */
  async #assertAbsent(signal: AbortSignal): Promise<void> {
    if (!this.#ifAbsent) return;
    try {
      await headObject(this.#bucket, this.#key, { ...this.#work, signal });
    } catch (error) {
      if (StorageError.is(error) && error.code === 'NOT_FOUND') return;
      throw error;
    }
    throw this.#told('ALREADY_EXISTS', `There is an object ${this.#place.Key} already.`);
  }

  #told(code: StorageErrorCode, message: string): StorageError {
    return toStorageError(new StorageError(code, message), this.#bucket.call(this.#work));
  }
}
