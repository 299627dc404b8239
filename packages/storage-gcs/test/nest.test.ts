import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { expect, it } from '@jest/globals';
import { StorageModule, StorageRegistry } from '@paradoxon/storage/nest';
import { GcsStorageModule } from '../src/nest.ts';

it('gives a Nest host two buckets under two ids, one of them with options that come late', async () => {
  @Module({
    imports: [
      StorageModule.forRoot([
        GcsStorageModule.register({ bucket: 'films' }),
        GcsStorageModule.registerAsync({ id: 'archive', useFactory: () => Promise.resolve({ bucket: 'old-films' }) }),
      ]),
    ],
  })
  class Host {}

  const app = await NestFactory.createApplicationContext(Host, { logger: false });
  const stores = app.get(StorageRegistry);

  expect(stores.get('gcs').locate('a')).toBe('gs://films/a');
  expect(stores.get('archive').locate('a')).toBe('gs://old-films/a');
  await app.close();
});

it('refuses a host with a bad option at its start, naming the option', async () => {
  @Module({ imports: [StorageModule.forRoot([GcsStorageModule.register({ bucket: 'gs://films' })])] })
  class Host {}

  const start = NestFactory.createApplicationContext(Host, { logger: false, abortOnError: false });

  await expect(start).rejects.toMatchObject({ code: 'INVALID_CONFIG', storage: 'gcs' });
});
