import { AbortMultipartUploadCommand, ListMultipartUploadsCommand, type MultipartUpload } from '@aws-sdk/client-s3';
import { StorageError, type SweepReport } from '@paradoxon/storage';
import type { S3Bucket, Work } from './s3-bucket.ts';
import { decodeKey } from './s3-listing.ts';

/** Removes multipart uploads below the store's prefix that began before `olderThan`. */
export async function sweepUploads(bucket: S3Bucket, olderThan: Date, work: Work): Promise<SweepReport> {
  let removed = 0;
  for await (const { Key, UploadId, Initiated } of openUploads(bucket, work)) {
    if (Key === undefined || UploadId === undefined || !Initiated || Initiated >= olderThan) continue;
    const command = new AbortMultipartUploadCommand({ Bucket: bucket.name, Key, UploadId });
    try {
      await bucket.ask(work, { permission: 's3:AbortMultipartUpload' }, ({ control }, http) =>
        control.send(command, http),
      );
      removed += 1;
    } catch (error) {
      // it has ended by itself meanwhile
      if (!StorageError.is(error) || error.httpStatus !== 404) throw error;
    }
  }
  return { removed };
}

async function* openUploads(bucket: S3Bucket, work: Work): AsyncGenerator<MultipartUpload> {
  let from: { KeyMarker?: string; UploadIdMarker?: string } | undefined = {};
  while (from) {
    const command: ListMultipartUploadsCommand = new ListMultipartUploadsCommand({
      Bucket: bucket.name,
      Prefix: bucket.settings.prefix,
      EncodingType: 'url',
      ...from,
    });
    const page = await bucket.ask(work, { permission: 's3:ListBucketMultipartUploads' }, ({ control }, http) =>
      control.send(command, http),
    );
    const decode = (key: string): string => (page.EncodingType === 'url' ? decodeKey(key) : key);
    for (const upload of page.Uploads ?? []) {
      yield upload.Key === undefined ? upload : { ...upload, Key: decode(upload.Key) };
    }
    const { IsTruncated, NextKeyMarker, NextUploadIdMarker } = page;
    from =
      IsTruncated && NextKeyMarker !== undefined
        ? {
            KeyMarker: decode(NextKeyMarker),
            ...(NextUploadIdMarker === undefined ? {} : { UploadIdMarker: NextUploadIdMarker }),
          }
        : undefined;
  }
}
