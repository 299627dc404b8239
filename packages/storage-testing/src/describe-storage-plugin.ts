import { storageContract } from './storage-contract.ts';
import type { StorageHarness } from './storage-harness.ts';

/** What Jest, Vitest and others put into the global scope, as far as it is needed here. */
interface Runner {
  readonly describe: (name: string, register: () => void) => void;
  readonly it: (title: string, run: () => Promise<void>, timeoutMs: number) => void;
}

/** For clouds far away; in memory and on disk a case takes milliseconds. */
const CASE_TIMEOUT_MS = 120_000;

/**
 * Registers the whole contract with the runner's global `describe` and `it` (Jest; Vitest with `globals: true`).
 * Other runners: loop over `storageContract(harness)`.
 *
 * @param name the plugin's, for the report
 * @throws Error when there is no global `describe` and `it`
 */
export function describeStoragePlugin(name: string, harness: StorageHarness): void {
  const { describe, it } = globalThis as Partial<Runner>;
  if (!describe || !it) {
    throw new Error(
      'describeStoragePlugin needs global describe() and it(): Jest injects them, Vitest with `globals: true`. ' +
        'With another runner, register the cases of storageContract(harness) yourself.',
    );
  }
  describe(`${name} keeps the storage contract`, () => {
    for (const { title, run } of storageContract(harness)) it(title, run, CASE_TIMEOUT_MS);
  });
}
