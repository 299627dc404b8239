import { Module } from '@nestjs/common';
import { storageModule } from '@paradoxon/storage/nest';
import { ReplicateDirectStorage } from './replicate-direct-storage.ts';
import type { ReplicateDirectOptions } from './replicate-options.ts';

@Module({})
export class ReplicateDirectModule extends storageModule<ReplicateDirectOptions>(
  'replicate-direct',
  (id, options) => new ReplicateDirectStorage(id, options),
) {}
