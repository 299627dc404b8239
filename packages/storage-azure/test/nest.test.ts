import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { StorageModule, StorageRegistry } from '@paradoxon/storage/nest';
import { expect, it } from '@jest/globals';
import { AzureStorageModule } from '../src/nest.ts';

const credential = Buffer.alloc(64).toString('base64');

it('gives a Nest host two containers under two ids, one of them with options that come late', async () => {
  @Module({
    imports: [
      StorageModule.forRoot([
        AzureStorageModule.register({
          accountUrl: 'https://one.blob.core.windows.net',
          container: 'films',
          credential,
        }),
        AzureStorageModule.registerAsync({
          id: 'archive',
          useFactory: () =>
            Promise.resolve({ accountUrl: 'https://two.blob.core.windows.net', container: 'old-films', credential }),
        }),
      ]),
    ],
  })
  class Host {}

  const app = await NestFactory.createApplicationContext(Host, { logger: false });
  const stores = app.get(StorageRegistry);

  expect(stores.get('azure').locate('a')).toBe('https://one.blob.core.windows.net/films/a');
  expect(stores.get('archive').locate('a')).toBe('https://two.blob.core.windows.net/old-films/a');
  await app.close();
});

it('refuses a host with a bad option at its start, naming the option', async () => {
  @Module({ imports: [StorageModule.forRoot([AzureStorageModule.register({ container: 'films', credential })])] })
  class Host {}

  const start = NestFactory.createApplicationContext(Host, { logger: false, abortOnError: false });

  await expect(start).rejects.toMatchObject({ code: 'INVALID_CONFIG', storage: 'azure' });
});
