import { AbortMultipartUploadCommand, ListMultipartUploadsCommand, type MultipartUpload } from '@aws-sdk/client-s3';
import { StorageError, type SweepReport } from '@paradoxon/storage';
import type { S3Bucket, Work } from './s3-bucket.ts';

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

/** Without EncodingType: Ceph 16 then encodes the keys, but neither says so nor encodes the marker. */
async function* openUploads(bucket: S3Bucket, work: Work): AsyncGenerator<MultipartUpload> {
  let from: { KeyMarker?: string; UploadIdMarker?: string } | undefined = {};
  while (from) {
    const command: ListMultipartUploadsCommand = new ListMultipartUploadsCommand({
      Bucket: bucket.name,
      Prefix: bucket.settings.prefix,
      ...from,
    });
    const page = await bucket.ask(work, { permission: 's3:ListBucketMultipartUploads' }, ({ control }, http) =>
      control.send(command, http),
    );
    yield* page.Uploads ?? [];
    const { IsTruncated, NextKeyMarker: KeyMarker, NextUploadIdMarker: UploadIdMarker } = page;
    const next = { ...(KeyMarker && { KeyMarker }), ...(UploadIdMarker && { UploadIdMarker }) };
    from = IsTruncated && KeyMarker ? next : undefined;
  }
}
