import 'reflect-metadata';
import { describe, expect, it } from '@jest/globals';
import { NestFactory } from '@nestjs/core';
import { StorageModule, StorageRegistry } from '@paradoxon/storage/nest';
import { ReplicateDirectModule } from '../src/nest.ts';

describe('the Nest module', () => {
  it('registers a store, several under their own ids', async () => {
    const module = StorageModule.forRoot([
      ReplicateDirectModule.register({}),
      ReplicateDirectModule.registerAsync({ id: 'other-account', useFactory: () => ({ retentionMinutes: 5 }) }),
    ]);
    const app = await NestFactory.createApplicationContext(module, { logger: false });

    const stores = app.get(StorageRegistry).all();

    expect(stores.map(({ id, kind }) => ({ id, kind }))).toEqual([
      { id: 'replicate-direct', kind: 'replicate-direct' },
      { id: 'other-account', kind: 'replicate-direct' },
    ]);
    expect(stores[1]?.capabilities.signedUrl).toEqual({ maxTtlSeconds: 300 });
    await app.close();
  });

  it('refuses bad options when it starts', async () => {
    const module = StorageModule.forRoot([ReplicateDirectModule.register({ retentionMinutes: -1 })]);

    const starting = NestFactory.createApplicationContext(module, { logger: false, abortOnError: false });

    await expect(starting).rejects.toMatchObject({ code: 'INVALID_CONFIG' });
  });
});
