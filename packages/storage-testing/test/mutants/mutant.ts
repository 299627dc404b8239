import type { StoragePlugin } from '@paradoxon/storage';
import type { StorageHarness } from '../../src/index.ts';
import { everything } from '../memory-harness.ts';

/** A plugin that is broken in one way, and the rules that have to notice, by a part of their titles. */
export interface Mutant {
  readonly bug: string;
  readonly caughtBy: readonly string[];
  readonly harness: StorageHarness;
}

export const mutant = (bug: string, caughtBy: readonly string[], create: new () => StoragePlugin): Mutant => ({
  bug,
  caughtBy,
  harness: everything(() => new create()),
});

/** Options that a mutant loses. */
export function except<T extends object>(options: T | undefined, ...names: readonly (keyof T)[]): Partial<T> {
  return Object.fromEntries(
    Object.entries(options ?? {}).filter(([name]) => !names.includes(name as keyof T)),
  ) as Partial<T>;
}
