import type { StorageCapabilities, StoragePlugin } from '@paradoxon/storage';

/** How the suite gets at a plugin. */
export interface StorageHarness {
  /** What the author claims. It is compared with `plugin.capabilities`; what is not named counts as not supported, and the refusal is tested. */
  readonly supports: Partial<StorageCapabilities>;
  /** A fresh instance over a fresh, empty place. */
  create(): Promise<StoragePlugin>;
  /** Removes the place. The suite itself calls `plugin.close`. */
  destroy?(plugin: StoragePlugin): Promise<void>;
  /**
   * Everything that is physically in the place, temporary files and open uploads included: proves that nothing is left
   * behind. Without it the suite can only look at `list`.
   */
  leftovers?(plugin: StoragePlugin): Promise<readonly string[]>;
  /** For read-only plugins: a key that exists, and its bytes (32 or more). */
  sample?(plugin: StoragePlugin): Promise<{ readonly key: string; readonly bytes: Uint8Array }>;
  /** For read-only plugins: a well-formed key under which there is nothing. */
  readonly absentKey?: string;
}

/** One promise of the contract, as a test for any runner. */
export interface ContractCase {
  /** A sentence about behaviour. */
  readonly title: string;
  /** Rejects, saying what the contract expects, when the plugin breaks it. */
  readonly run: () => Promise<void>;
}
