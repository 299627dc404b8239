import type { ContractCase, StorageHarness } from './storage-harness.ts';

/** The contract as cases, for any runner and for the test of the tests. */
export function storageContract(_harness: StorageHarness): readonly ContractCase[] {
  return [];
}
