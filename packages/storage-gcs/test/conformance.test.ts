import { afterAll, beforeAll } from '@jest/globals';
import type { StorageCapabilities, StoragePlugin } from '@paradoxon/storage';
import { describeStoragePlugin, type GcsServer, startGcsServer, type StorageHarness } from '@paradoxon/storage-testing';
import { GcsStorage, type GcsStorageOptions } from '../src/index.ts';
import { askServerForTokens, KiB } from './gcs-place.ts';

const supports: StorageCapabilities = {
  write: true,
  expiring: false,
  range: true,
  ifMatch: true,
  createIfAbsent: true,
  unknownSize: true,
  list: true,
  sweepIncomplete: false,
  signedUrl: { maxTtlSeconds: 604_800 },
  checksums: ['crc32c'],
  maxObjectBytes: 5 * 1024 ** 4,
};
const BUCKETS = Array.from({ length: 400 }, (_, n) => `films-${n}`);
const buckets = new WeakMap<StoragePlugin, string>();
let free: string[] = [];
let server: GcsServer;

beforeAll(async () => {
  free = [...BUCKETS];
  server = await startGcsServer({ buckets: Object.fromEntries(BUCKETS.map((bucket) => [bucket, {}])) });
});
afterAll(() => server.close());

const harness = (options: Partial<GcsStorageOptions>): StorageHarness => ({
  supports,
  leftovers: (store) => {
    const bucket = buckets.get(store) ?? '';
    const sessions = server.sessions().filter((session) => session.bucket === bucket);
    return Promise.resolve([...server.objects(bucket), ...sessions].map(({ name }) => name));
  },
  create: async () => {
    const bucket = free.pop() ?? '';
    const credentials = { ...server.serviceAccount() };
    const store = new GcsStorage('gcs', { bucket, endpoint: server.endpoint, credentials, ...options });
    buckets.set(store, bucket);
    await askServerForTokens(store, server);
    return store;
  },
});

describeStoragePlugin('gcs', harness({}));

// what the contract puts is small: like this, nearly all of it goes in parts
describeStoragePlugin('gcs in parts of 256 KiB', harness({ partBytes: 256 * KiB }));
