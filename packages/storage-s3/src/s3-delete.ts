import { DeleteObjectCommand } from '@aws-sdk/client-s3';
import { StorageError } from '@paradoxon/storage';
import type { S3Bucket, Work } from './s3-bucket.ts';
import { headObject } from './s3-object.ts';

/**
 * Deletes the object, if it is there.
 *
 * @param ifMatch only this version. AWS looks itself, in the same moment. Servers that ignore `If-Match` on DELETE get a
 *   look before, so that a version which comes between the two requests is not seen.
 * @throws StorageError `PRECONDITION_FAILED`
 */
export async function deleteObject(bucket: S3Bucket, key: string, work: Work, ifMatch?: string): Promise<void> {
  const path = bucket.pathOf(key);
  try {
    if (ifMatch !== undefined) {
      const { etag } = await headObject(bucket, key, work);
      if (etag !== ifMatch) throw new StorageError('PRECONDITION_FAILED', `${path} is not the version that was named.`);
    }
    const command = new DeleteObjectCommand({
      Bucket: bucket.name,
      Key: path,
      ...(ifMatch !== undefined && bucket.settings.conditionalWrites ? { IfMatch: ifMatch } : {}),
    });
    await bucket.ask(work, { permission: 's3:DeleteObject', commits: true }, ({ control }, http) =>
      control.send(command, http),
    );
  } catch (error) {
    if (StorageError.is(error) && error.code === 'NOT_FOUND') return;
    throw error;
  }
}
