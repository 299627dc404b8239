import { type Committed, type ObjectInfo, type PutOptions, StorageError, type StoredObject } from '@paradoxon/storage';
import type { S3Bucket, Work } from './s3-bucket.ts';
import { deleteObject } from './s3-delete.ts';
import { toStorageError } from './s3-errors.ts';
import { headObject } from './s3-object.ts';
import type { Taken } from './s3-upload.ts';

/**
 * Compares what the server says it holds with what was sent, and takes the object away again when that differs.
 * @throws StorageError `CHECKSUM_MISMATCH`, or whatever kept it from asking; `committed` says whether the object is there still
 */
export async function verifyUpload(
  bucket: S3Bucket,
  key: string,
  options: PutOptions,
  taken: Taken,
): Promise<StoredObject> {
  const work: Work = { operation: 'put', key };
  const found = await lookAt(bucket, key, { ...work, signal: options.signal }, taken);
  const stored = found ?? describe(key, options, taken);
  const crc32c = taken.crc32c ?? stored.checksums.crc32c;
  const problem = problemOf(stored.size, crc32c, taken);
  if (!problem) return { ...stored, checksums: crc32c === undefined ? {} : { crc32c } };
  const left = found ? await takeAway(bucket, key, work, taken) : 'no';
  const { code, message } = problem;
  throw toStorageError(new StorageError(code, message + ADVICE[left], { committed: left }), bucket.call(work));
}

const ADVICE: Readonly<Record<Committed, string>> = {
  no: '',
  yes: ' It could not be taken away again: delete it.',
  unknown: " It may be there still, or be another writer's: look at it before you delete it.",
};

/** Whether the object is there still. */
async function takeAway(bucket: S3Bucket, key: string, work: Work, { etag }: Taken): Promise<Committed> {
  // only this version: what is there by now may be somebody else's
  if (etag === undefined) return 'unknown';
  try {
    await deleteObject(bucket, key, work, etag);
    return 'no';
  } catch (error) {
    if (!StorageError.is(error)) throw error;
    if (error.code === 'PRECONDITION_FAILED') return 'no';
    return error.committed === 'no' ? 'yes' : 'unknown';
  }
}

/** The object, unless another one has already taken its place. @throws StorageError `committed: 'yes'` */
async function lookAt(bucket: S3Bucket, key: string, work: Work, { etag }: Taken): Promise<ObjectInfo | undefined> {
  try {
    const found = await headObject(bucket, key, work);
    return etag === undefined || found.etag === etag ? found : undefined;
  } catch (error) {
    if (!StorageError.is(error)) throw error;
    const { code, message, retry, cause } = error;
    const { storage } = bucket;
    if (code === 'NOT_FOUND') {
      const lost = 'The server has confirmed the object, and says now that there is none. Does something delete it?';
      throw new StorageError('UNAVAILABLE', `${lost} ${message}`, {
        storage,
        operation: 'put',
        key,
        committed: 'unknown',
        cause,
      });
    }
    throw new StorageError(code, `The object is written, but could not be looked at. ${message}`, {
      ...{ storage, operation: 'put', key, retry, committed: 'yes', cause },
      ...(error.retryAfterMs === undefined ? {} : { retryAfterMs: error.retryAfterMs }),
    });
  }
}

function problemOf(size: number, crc32c: string | undefined, taken: Taken): StorageError | undefined {
  if (size !== taken.bytes) {
    return new StorageError(
      'CHECKSUM_MISMATCH',
      `The server holds ${size} of the ${taken.bytes} bytes that were sent.`,
    );
  }
  if (crc32c === taken.sentCrc32c || taken.sentCrc32c === undefined) return undefined;
  if (crc32c === undefined) {
    return new StorageError(
      'UNSUPPORTED',
      'The server does not say which CRC32C the object has. Set requestChecksumCalculation to WHEN_REQUIRED.',
    );
  }
  return new StorageError('CHECKSUM_MISMATCH', `CRC32C ${taken.sentCrc32c} was sent; the server holds ${crc32c}.`);
}

/** The object as it was when it was written: it has been overwritten or deleted since. */
function describe(key: string, options: PutOptions, { bytes, etag, crc32c }: Taken): ObjectInfo {
  const { contentType = 'application/octet-stream', cacheControl, metadata = {} } = options;
  return {
    key,
    size: bytes,
    ...(etag === undefined ? {} : { etag }),
    contentType,
    ...(cacheControl === undefined ? {} : { cacheControl }),
    metadata,
    checksums: crc32c === undefined ? {} : { crc32c },
  };
}
