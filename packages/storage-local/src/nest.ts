import { Module } from '@nestjs/common';
import { storageModule } from '@paradoxon/storage/nest';
import type { LocalStorageOptions } from './local-options.ts';
import { LocalStorage } from './local-storage.ts';

@Module({})
export class LocalStorageModule extends storageModule<LocalStorageOptions>(
  'local',
  (id, options) => new LocalStorage(id, options),
) {}
