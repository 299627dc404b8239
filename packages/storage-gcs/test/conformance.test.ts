import { afterAll, beforeAll } from '@jest/globals';
import type { StorageCapabilities, StoragePlugin } from '@paradoxon/storage';
import { describeStoragePlugin, type GcsServer, startGcsServer } from '@paradoxon/storage-testing';
import { GcsStorage } from '../src/index.ts';
import { askServerForTokens } from './gcs-place.ts';

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
const BUCKETS = Array.from({ length: 200 }, (_, n) => `films-${n}`);
const buckets = new WeakMap<StoragePlugin, string>();
let free: string[] = [];
let server: GcsServer;

beforeAll(async () => {
  free = [...BUCKETS];
  server = await startGcsServer({ buckets: Object.fromEntries(BUCKETS.map((bucket) => [bucket, {}])) });
});
afterAll(() => server.close());

describeStoragePlugin('gcs', {
  supports,
  leftovers: (store) => {
    const bucket = buckets.get(store) ?? '';
    const sessions = server.sessions().filter((session) => session.bucket === bucket);
    const names = [...server.objects(bucket), ...sessions].map(({ name }) => name);
    return Promise.resolve(names);
  },
  create: async () => {
    const bucket = free.pop() ?? '';
    const store = new GcsStorage('gcs', {
      bucket,
      endpoint: server.endpoint,
      credentials: { ...server.serviceAccount() },
    });
    buckets.set(store, bucket);
    await askServerForTokens(store, server);
    return store;
  },
});
