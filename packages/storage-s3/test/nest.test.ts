import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { StorageModule, StorageRegistry } from '@paradoxon/storage/nest';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { S3StorageModule } from '../src/nest.ts';
import { bodyOf, keysOf } from './bodies.ts';
import { fauxqs, type TestServer } from './servers.ts';

const servers: TestServer[] = [];
beforeAll(async () => {
  servers.push(...(await Promise.all([fauxqs(), fauxqs()])));
}, 60_000);
afterAll(async () => {
  for (const server of servers) await server.stop();
});

it('gives a Nest host two stores with endpoints, buckets and keys of their own, one with options that come late', async () => {
  const [one, two] = servers as [TestServer, TestServer];
  const first = { ...one.options, bucket: await one.bucket() };
  const second = { ...two.options, bucket: await two.bucket() };
  @Module({
    imports: [
      StorageModule.forRoot([
        S3StorageModule.register(first),
        S3StorageModule.registerAsync({ id: 's3-archive', useFactory: () => Promise.resolve(second) }),
      ]),
    ],
  })
  class Host {}

  const app = await NestFactory.createApplicationContext(Host, { logger: false });
  const stores = app.get(StorageRegistry);
  await stores.get('s3').put('a', bodyOf('bytes'));
  await stores.get('s3-archive').put('b', bodyOf('bytes'));

  expect(await keysOf(stores.get('s3'))).toEqual(['a']);
  expect(await keysOf(stores.get('s3-archive'))).toEqual(['b']);
  expect(await one.inventory(first.bucket)).toEqual(['a']);
  expect(await two.inventory(second.bucket)).toEqual(['b']);
  await app.close();
});

it('refuses a host with a bad option at its start, naming the option', async () => {
  @Module({ imports: [StorageModule.forRoot([S3StorageModule.register({ bucket: 'films' })])] })
  class Host {}

  const start = NestFactory.createApplicationContext(Host, { logger: false, abortOnError: false });

  await expect(start).rejects.toMatchObject({ code: 'INVALID_CONFIG', message: expect.stringContaining('region') });
});
