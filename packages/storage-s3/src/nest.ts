import { Module } from '@nestjs/common';
import { storageModule } from '@paradoxon/storage/nest';
import type { S3StorageOptions } from './s3-options.ts';
import { S3Storage } from './s3-storage.ts';

@Module({})
export class S3StorageModule extends storageModule<S3StorageOptions>(
  's3',
  (id, options) => new S3Storage(id, options),
) {}
