import { CreateBucketCommand, GetObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import type { S3Emulator } from '../src/index.ts';

export const BUCKET = 'films';

export const clientOf = (
  { endpoint, region }: S3Emulator,
  credentials: { readonly accessKeyId: string; readonly secretAccessKey: string },
): S3Client =>
  new S3Client({
    endpoint,
    region,
    credentials,
    forcePathStyle: true,
    // Ceph refuses checksums that come after the body
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    // a dead server is a fact here, nothing to wait for
    maxAttempts: 1,
  });

/** What the tests of both S3 servers do with them. */
export const s3Subject = {
  async makeBucket(server: S3Emulator): Promise<void> {
    await clientOf(server, server).send(new CreateBucketCommand({ Bucket: BUCKET }));
  },
  async put(server: S3Emulator, key: string, text: string): Promise<void> {
    await clientOf(server, server).send(new PutObjectCommand({ Bucket: BUCKET, Key: key, Body: text }));
  },
  async get(server: S3Emulator, key: string): Promise<string | undefined> {
    const { Body } = await clientOf(server, server).send(new GetObjectCommand({ Bucket: BUCKET, Key: key }));
    return Body?.transformToString();
  },
};
