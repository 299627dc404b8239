import type { StorageCapabilities } from '@paradoxon/storage';
import type { Given } from './given.ts';

/** One promise of the contract. */
export interface Rule {
  /** A sentence about behaviour. */
  readonly title: string;
  /** Whether the rule concerns a plugin that claims this. Default: every plugin. */
  readonly when?: (claims: StorageCapabilities) => boolean;
  /** Throws or rejects when the plugin breaks it. */
  readonly check: (given: Given) => Promise<void> | void;
}

export const writable = (claims: StorageCapabilities): boolean => claims.write;
