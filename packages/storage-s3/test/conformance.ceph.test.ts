import { afterAll, beforeAll, describe, it } from '@jest/globals';
import type { StoragePlugin } from '@paradoxon/storage';
import { describeStoragePlugin } from '@paradoxon/storage-testing';
import { capabilities } from './capabilities.ts';
import { type Ceph, ceph, noCeph, type TestServer } from './servers.ts';

const places = new WeakMap<StoragePlugin, string>();
let server: TestServer<Ceph>;

if (noCeph !== undefined) {
  console.warn(`The contract is not tested against Ceph. ${noCeph}`);
  describe('s3 on Ceph keeps the storage contract', () => {
    it.skip(`not tested: ${noCeph}`, () => undefined);
  });
} else {
  beforeAll(async () => {
    server = await ceph();
  }, 60_000);
  afterAll(() => server.stop());

  describeStoragePlugin('s3 on Ceph', {
    supports: capabilities({ createIfAbsent: true, checksums: [] }),
    leftovers: (store) => server.inventory(places.get(store) ?? ''),
    create: async () => {
      const bucket = await server.bucket();
      const store = await server.store({ bucket });
      places.set(store, bucket);
      return store;
    },
  });
}
