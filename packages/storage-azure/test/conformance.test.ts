import type { StorageCapabilities } from '@paradoxon/storage';
import { describe, it } from '@jest/globals';
import { describeStoragePlugin, storageContract } from '@paradoxon/storage-testing';
import type { AzureStorage } from '../src/index.ts';
import { everythingIn, useAzurite } from './azurite.ts';

const KiB = 1024;
const MiB = 1024 ** 2;

const supports = (partBytes: number): StorageCapabilities => ({
  write: true,
  expiring: false,
  range: true,
  ifMatch: true,
  createIfAbsent: true,
  unknownSize: true,
  list: true,
  sweepIncomplete: true,
  signedUrl: { maxTtlSeconds: 604_800 },
  checksums: ['md5'],
  maxObjectBytes: 50_000 * partBytes,
});
const azurite = useAzurite();
const leftovers = (store: unknown): Promise<string[]> => everythingIn((store as AzureStorage).native());

describeStoragePlugin('azure', { supports: supports(8 * MiB), leftovers, create: () => azurite.store() });

// nearly every body goes in blocks, four at once
describeStoragePlugin('azure in blocks of 64 KiB', {
  supports: supports(64 * KiB),
  leftovers,
  create: () => azurite.store({ partBytes: 64 * KiB }),
});

// below a prefix it is the same store, but for the longest keys: Azure's limit counts the prefix, too
describe('azure below a prefix keeps the storage contract', () => {
  const cases = storageContract({
    supports: supports(8 * MiB),
    leftovers,
    create: () => azurite.store({ prefix: 'of/a tenant' }),
  });
  const concerned = /^(reading|deleting|listing|keys: (?!.*(1024 bytes, byte|254 segments, byte))|urls|upkeep)/;
  for (const { title, run } of cases.filter(({ title }) => concerned.test(title))) it(title, run, 60_000);
});
