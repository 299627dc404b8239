import { afterAll, beforeAll, describe, it } from '@jest/globals';
import type { StoragePlugin } from '@paradoxon/storage';
import { storageContract } from '@paradoxon/storage-testing';
import { type AwsLikeServer, awsLikeServer } from './aws-like-server.ts';
import { capabilities } from './capabilities.ts';
import { fauxqs, type TestServer } from './servers.ts';

const places = new WeakMap<StoragePlugin, string>();
let server: TestServer;
let aws: AwsLikeServer;

beforeAll(async () => {
  server = await fauxqs();
  aws = await awsLikeServer(server);
}, 60_000);
afterAll(async () => {
  await aws.close();
  await server.stop();
});

// no server here knows CRC32C and conditions on every write, which is what the defaults ask of AWS
describe('s3 with its defaults, on a double of AWS, keeps the storage contract', () => {
  const cases = storageContract({
    supports: capabilities({ createIfAbsent: true, checksums: ['crc32c'] }),
    leftovers: (store) => server.inventory(places.get(store) ?? ''),
    create: async () => {
      const bucket = await server.bucket();
      const store = await server.store({
        ...{ bucket, endpoint: aws.endpoint },
        ...{ requestChecksumCalculation: 'WHEN_SUPPORTED', conditionalWrites: true },
      });
      places.set(store, bucket);
      return store;
    },
  });
  for (const { title, run } of cases) {
    if (/has an (altered|expired) link refused/.test(title)) it.skip(`${title} (see Ceph)`, () => undefined);
    else it(title, run, 20_000);
  }
});
