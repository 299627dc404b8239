import { Module } from '@nestjs/common';
import { storageModule } from '@paradoxon/storage/nest';
import type { AzureStorageOptions } from './azure-options.ts';
import { AzureStorage } from './azure-storage.ts';

@Module({})
export class AzureStorageModule extends storageModule<AzureStorageOptions>(
  'azure',
  (id, options) => new AzureStorage(id, options),
) {}
