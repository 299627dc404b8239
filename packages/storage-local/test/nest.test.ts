import 'reflect-metadata';
import { join } from 'node:path';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { StorageModule, StorageRegistry } from '@paradoxon/storage/nest';
import { expect, it } from '@jest/globals';
import { LocalStorageModule } from '../src/nest.ts';
import { bodyOf, emptyFolder, keysOf } from './folder.ts';

it('gives a Nest host two folders under two ids, one of them with options that come late', async () => {
  const root = await emptyFolder();
  @Module({
    imports: [
      StorageModule.forRoot([
        LocalStorageModule.register({ root: join(root, 'one') }),
        LocalStorageModule.registerAsync({
          id: 'archive',
          useFactory: () => Promise.resolve({ root: join(root, 'two') }),
        }),
      ]),
    ],
  })
  class Host {}

  const app = await NestFactory.createApplicationContext(Host, { logger: false });
  const stores = app.get(StorageRegistry);
  await stores.get('local').put('a', bodyOf('bytes'));
  await stores.get('archive').put('b', bodyOf('bytes'));

  expect(await keysOf(stores.get('local'))).toEqual(['a']);
  expect(await keysOf(stores.get('archive'))).toEqual(['b']);
  await app.close();
});

it('refuses a host with a bad option at its start, naming the option', async () => {
  @Module({ imports: [StorageModule.forRoot([LocalStorageModule.register({ id: 'disk', root: '' })])] })
  class Host {}

  const start = NestFactory.createApplicationContext(Host, { logger: false, abortOnError: false });

  await expect(start).rejects.toMatchObject({ code: 'INVALID_CONFIG', storage: 'disk' });
});
