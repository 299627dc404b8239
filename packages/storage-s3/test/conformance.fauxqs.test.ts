import { afterAll, beforeAll, describe, it } from '@jest/globals';
import type { StoragePlugin } from '@paradoxon/storage';
import { storageContract, type StorageHarness } from '@paradoxon/storage-testing';
import { capabilities } from './capabilities.ts';
import { fauxqs, type TestServer } from './servers.ts';

/** fauxqs looks at no signature and no date. On Ceph these cases run, too. */
const UNVERIFIED_LINKS = /has an (altered|expired) link refused/;

const places = new WeakMap<StoragePlugin, string>();
let server: TestServer;

beforeAll(async () => {
  server = await fauxqs();
}, 60_000);
afterAll(() => server.stop());

const harness = (prefix: string): StorageHarness => ({
  supports: capabilities({ createIfAbsent: false, checksums: [] }),
  leftovers: (store) => server.inventory(places.get(store) ?? ''),
  create: async () => {
    const bucket = await server.bucket();
    const store = await server.store({ bucket, prefix });
    places.set(store, bucket);
    return store;
  },
});

describe('s3 on fauxqs keeps the storage contract', () => {
  for (const { title, run } of storageContract(harness(''))) {
    if (UNVERIFIED_LINKS.test(title)) it.skip(`${title} (fauxqs verifies no link: see Ceph)`, () => undefined);
    else it(title, run, 20_000);
  }
});

describe('s3 below a prefix keeps what the storage contract says about keys', () => {
  const cases = storageContract(harness('below/a prefix')).filter(({ title }) =>
    /^(declaring|deleting|keys|listing|upkeep):|issues a URL for every key/.test(title),
  );
  // the longest key of all has no room for a prefix
  for (const { title, run } of cases.filter(({ title }) => !title.includes('1024 bytes,'))) it(title, run, 20_000);
});
