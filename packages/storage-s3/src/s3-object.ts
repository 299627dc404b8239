import { type GetObjectCommandOutput, HeadObjectCommand, type HeadObjectCommandOutput } from '@aws-sdk/client-s3';
import type { ObjectInfo } from '@paradoxon/storage';
import { fullCrc32c } from './s3-checksums.ts';
import type { S3Bucket, Work } from './s3-bucket.ts';

/** @throws StorageError `NOT_FOUND`, and `INVALID_CONFIG` when it is the bucket that is missing */
export async function headObject(bucket: S3Bucket, key: string, work: Work): Promise<ObjectInfo> {
  const command = new HeadObjectCommand({
    Bucket: bucket.name,
    Key: bucket.pathOf(key),
    ...(keepsCrc32c(bucket) ? { ChecksumMode: 'ENABLED' } : {}),
  });
  const head = await bucket
    .ask(work, { permission: 's3:GetObject' }, ({ control }, http) => control.send(command, http))
    .catch((error: unknown) => bucket.explain404(error, work));
  return infoOf(bucket, key, head, head.ContentLength ?? 0);
}

const keepsCrc32c = ({ settings }: S3Bucket): boolean => settings.requestChecksumCalculation === 'WHEN_SUPPORTED';

/** @param size of the whole object, bytes */
export function infoOf(
  bucket: S3Bucket,
  key: string,
  answer: HeadObjectCommandOutput | GetObjectCommandOutput,
  size: number,
): ObjectInfo {
  const { ETag: etag, ContentType: contentType, CacheControl: cacheControl, LastModified: lastModified } = answer;
  const crc32c = keepsCrc32c(bucket) ? fullCrc32c(answer) : undefined;
  return {
    key,
    size,
    ...(etag === undefined ? {} : { etag }),
    ...(contentType === undefined ? {} : { contentType }),
    ...(cacheControl === undefined ? {} : { cacheControl }),
    metadata: { ...answer.Metadata },
    ...(lastModified === undefined ? {} : { lastModified }),
    checksums: crc32c === undefined ? {} : { crc32c },
  };
}
