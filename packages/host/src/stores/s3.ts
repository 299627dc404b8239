import { z } from 'zod';
import { cloudStore } from './cloud-store.ts';

const BUCKET = 'the name of a bucket';

export const s3 = cloudStore({
  id: 's3',
  aliases: ['aws_s3'],
  environment: {
    AWS_S3_BUCKET: z.string().min(1, BUCKET).optional().describe('Bucket of the store `s3`; switches it on.'),
    AWS_REGION: z.string().min(1).optional().describe('Region of the bucket. Not needed with `AWS_S3_ENDPOINT`.'),
    AWS_ACCESS_KEY: z
      .string()
      .min(1)
      .optional()
      .describe("Access key id. Without it AWS's own chain is used: environment, profile, role, instance."),
    AWS_SECRET_KEY: z.string().min(1).optional().describe('Secret of the access key.'),
    AWS_S3_ENDPOINT: z
      .url({ protocol: /^https?$/, error: 'a URL like https://s3.example.com' })
      .optional()
      .describe('Another service that speaks S3: R2, MinIO, Ceph, …'),
    AWS_S3_FORCE_PATH_STYLE: z
      .stringbool({ error: 'true or false' })
      .optional()
      .describe('Bucket in the path instead of the host name; `true` with an endpoint, else `false`, if absent.'),
    AWS_S3_PREFIX: z
      .string()
      .min(1)
      .optional()
      .describe('Folder in the bucket that holds everything, such as `archive`.'),
    AWS_S3_STORAGE_CLASS: z
      .string()
      .min(1)
      .optional()
      .describe("Storage class of what is stored; the bucket's own if absent."),
    AWS_S3_REQUEST_CHECKSUM_CALCULATION: z
      .enum(['WHEN_SUPPORTED', 'WHEN_REQUIRED'])
      .optional()
      .describe('`WHEN_REQUIRED` for services that know no CRC32C: they verify MD5 instead.'),
    AWS_S3_CONDITIONAL_WRITES: z
      .stringbool({ error: 'true or false' })
      .optional()
      .describe('`false` for services that ignore `If-None-Match`; `true` if absent.'),
  },
  // AWS_REGION is there wherever AWS runs something, for anybody
  switches: [
    'AWS_S3_BUCKET',
    'AWS_ACCESS_KEY',
    'AWS_SECRET_KEY',
    'AWS_S3_ENDPOINT',
    'AWS_S3_FORCE_PATH_STYLE',
    'AWS_S3_PREFIX',
    'AWS_S3_STORAGE_CLASS',
    'AWS_S3_REQUEST_CHECKSUM_CALCULATION',
    'AWS_S3_CONDITIONAL_WRITES',
  ],
  missing: (env) => [
    ...(env.AWS_S3_BUCKET === undefined ? ['AWS_S3_BUCKET'] : []),
    ...(env.AWS_REGION === undefined && env.AWS_S3_ENDPOINT === undefined ? ['AWS_REGION'] : []),
    ...(env.AWS_ACCESS_KEY === undefined && env.AWS_SECRET_KEY !== undefined ? ['AWS_ACCESS_KEY'] : []),
    ...(env.AWS_SECRET_KEY === undefined && env.AWS_ACCESS_KEY !== undefined ? ['AWS_SECRET_KEY'] : []),
  ],
  async register(env) {
    const { S3StorageModule } = await import('@paradoxon/storage-s3/nest');
    return S3StorageModule.register({
      id: 's3',
      bucket: env.AWS_S3_BUCKET ?? '',
      ...(env.AWS_REGION === undefined ? {} : { region: env.AWS_REGION }),
      ...(env.AWS_ACCESS_KEY === undefined || env.AWS_SECRET_KEY === undefined
        ? {}
        : { credentials: { accessKeyId: env.AWS_ACCESS_KEY, secretAccessKey: env.AWS_SECRET_KEY } }),
      ...(env.AWS_S3_ENDPOINT === undefined ? {} : { endpoint: env.AWS_S3_ENDPOINT }),
      ...(env.AWS_S3_FORCE_PATH_STYLE === undefined ? {} : { forcePathStyle: env.AWS_S3_FORCE_PATH_STYLE }),
      ...(env.AWS_S3_PREFIX === undefined ? {} : { prefix: env.AWS_S3_PREFIX }),
      ...(env.AWS_S3_STORAGE_CLASS === undefined ? {} : { storageClass: env.AWS_S3_STORAGE_CLASS }),
      ...(env.AWS_S3_REQUEST_CHECKSUM_CALCULATION === undefined
        ? {}
        : { requestChecksumCalculation: env.AWS_S3_REQUEST_CHECKSUM_CALCULATION }),
      ...(env.AWS_S3_CONDITIONAL_WRITES === undefined ? {} : { conditionalWrites: env.AWS_S3_CONDITIONAL_WRITES }),
    });
  },
});
