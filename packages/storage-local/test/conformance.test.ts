import { describe, it } from '@jest/globals';
import type { StorageCapabilities, StoragePlugin } from '@paradoxon/storage';
import { describeStoragePlugin, storageContract } from '@paradoxon/storage-testing';
import { LocalStorage } from '../src/index.ts';
import { emptyFolder, filesIn } from './folder.ts';
import { storeWithLinks } from './link-server.ts';

const supports: StorageCapabilities = {
  write: true,
  expiring: false,
  range: true,
  ifMatch: true,
  createIfAbsent: true,
  unknownSize: true,
  list: true,
  sweepIncomplete: true,
  signedUrl: { maxTtlSeconds: 604_800 },
  checksums: ['sha256'],
  maxObjectBytes: Number.MAX_SAFE_INTEGER,
};
const roots = new WeakMap<StoragePlugin, string>();

describeStoragePlugin('local with links', {
  supports,
  leftovers: (store) => filesIn(roots.get(store) ?? ''),
  create: async () => {
    const root = await emptyFolder();
    const { store } = await storeWithLinks(root);
    roots.set(store, root);
    return store;
  },
});

// without links it is the same store, but for what it says about URLs
describe('local without links keeps the storage contract', () => {
  const cases = storageContract({
    supports: { ...supports, signedUrl: false },
    create: async () => new LocalStorage('disk', { root: await emptyFolder() }),
  });
  for (const { title, run } of cases.filter(({ title }) => /^(declaring|urls):/.test(title))) it(title, run);
});
