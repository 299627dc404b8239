import { AssertionError } from 'node:assert';
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
 * plugin and puts it away again, and rejects with an AssertionError that says what the contract expects.
 */
export function storageContract(harness: StorageHarness): readonly ContractCase[] {
  const claims: StorageCapabilities = { ...NOTHING, ...harness.supports };
  return Object.entries(RULES).flatMap(([subject, rules]) =>
    rules
      .filter(({ when }) => when?.(claims) ?? true)
      .map((rule) => ({ title: `${subject}: ${rule.title}`, run: () => run(rule, harness, claims) })),
  );
}

async function run(rule: Rule, harness: StorageHarness, claims: StorageCapabilities): Promise<void> {
  const given = new Given(await harness.create(), claims, harness);
  const broken = await brokenBy(rule, given);
  const untidy = await given.end().catch((error: unknown) => error);
  if (broken ?? untidy) throw broken ?? untidy;
}

/** @returns what the rule complains about, if anything */
async function brokenBy({ title, check }: Rule, given: Given): Promise<AssertionError | undefined> {
  try {
    await check(given);
    return undefined;
  } catch (error) {
    if (error instanceof AssertionError) return error;
    // a call that the rule takes for granted was rejected
    const message = `The contract expects that a store ${title}. A call that should have succeeded was rejected: ${String(error)}`;
    return Object.assign(new AssertionError({ message }), { cause: error });
  }
}
