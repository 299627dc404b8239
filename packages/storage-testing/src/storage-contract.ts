import type { StorageCapabilities } from '@paradoxon/storage';
import { atomicPut } from './contract/atomic-put.ts';
import { createIfAbsent } from './contract/create-if-absent.ts';
import { declaring } from './contract/declaring.ts';
import { deleting } from './contract/deleting.ts';
import { Given } from './contract/given.ts';
import { keys } from './contract/keys.ts';
import { listing } from './contract/listing.ts';
import { reading } from './contract/reading.ts';
import type { Rule } from './contract/rule.ts';
import { upkeep } from './contract/upkeep.ts';
import { urls } from './contract/urls.ts';
import { writing } from './contract/writing.ts';
import type { ContractCase, StorageHarness } from './storage-harness.ts';

const NOTHING: StorageCapabilities = {
  write: false,
  expiring: false,
  range: false,
  ifMatch: false,
  createIfAbsent: false,
  unknownSize: false,
  list: false,
  sweepIncomplete: false,
  signedUrl: false,
  checksums: [],
  maxObjectBytes: Infinity,
};

const RULES: Readonly<Record<string, readonly Rule[]>> = {
  declaring,
  reading,
  writing,
  'atomic put': atomicPut,
  'create if absent': createIfAbsent,
  deleting,
  listing,
  keys,
  urls,
  upkeep,
};

/**
 * The contract as cases for any runner: those that concern a plugin with the claimed capabilities. Each case makes a fresh
 * plugin and puts it away again.
 */
export function storageContract(harness: StorageHarness): readonly ContractCase[] {
  const claims: StorageCapabilities = { ...NOTHING, ...harness.supports };
  return Object.entries(RULES).flatMap(([subject, rules]) =>
    rules
      .filter(({ when }) => when?.(claims) ?? true)
      .map(({ title, check }) => ({
        title: `${subject}: ${title}`,
        run: async () => {
          const given = new Given(await harness.create(), claims, harness);
          try {
            await check(given);
          } finally {
            await given.end();
          }
        },
      })),
  );
}
