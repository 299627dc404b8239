import { Module } from '@nestjs/common';
import { storageModule } from '@paradoxon/storage/nest';
import type { GcsStorageOptions } from './gcs-options.ts';
import { GcsStorage } from './gcs-storage.ts';

@Module({})
export class GcsStorageModule extends storageModule<GcsStorageOptions>(
  'gcs',
  (id, options) => new GcsStorage(id, options),
) {}
