import { ListObjectsV2Command } from '@aws-sdk/client-s3';
import type { ObjectInfo } from '@paradoxon/storage';
import type { S3Bucket, Work } from './s3-bucket.ts';

/** All objects below the store's prefix whose key starts with `prefix`, page by page. */
export async function* listObjects(bucket: S3Bucket, prefix: string, work: Work): AsyncGenerator<ObjectInfo> {
  const { prefix: root } = bucket.settings;
  let token: string | undefined;
  do {
    const command = new ListObjectsV2Command({
      Bucket: bucket.name,
      Prefix: root + prefix,
      // some keys have characters that XML cannot hold
      EncodingType: 'url',
      ...(token === undefined ? {} : { ContinuationToken: token }),
    });
    const page = await bucket.ask(work, { permission: 's3:ListBucket' }, ({ control }, http) =>
      control.send(command, http),
    );
    for (const { Key, Size = 0, ETag, LastModified } of page.Contents ?? []) {
      if (Key === undefined) continue;
      const path = page.EncodingType === 'url' ? decodeKey(Key) : Key;
      // the empty objects by which consoles and file managers show a folder: no key of ours ends like this
      if (path.endsWith('/') && Size === 0) continue;
      yield {
        key: path.slice(root.length),
        size: Size,
        // in lists, some servers leave the quotes out
        ...(ETag === undefined ? {} : { etag: ETag.startsWith('"') ? ETag : `"${ETag}"` }),
        ...(LastModified === undefined ? {} : { lastModified: LastModified }),
        metadata: {},
        checksums: {},
      };
    }
    token = page.IsTruncated ? page.NextContinuationToken : undefined;
  } while (token !== undefined);
}

/** As forms are encoded: '+' is a blank, a plus is %2B. */
const decodeKey = (key: string): string => decodeURIComponent(key.replaceAll('+', ' '));
