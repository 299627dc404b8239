export type { S3Credentials, S3StorageOptions } from './s3-options.ts';
export { S3Storage } from './s3-storage.ts';
