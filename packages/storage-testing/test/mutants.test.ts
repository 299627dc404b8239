import { AssertionError } from 'node:assert';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { storageContract } from '../src/index.ts';
import type { Mutant } from './mutants/mutant.ts';
import { putting } from './mutants/putting.ts';
import { reading } from './mutants/reading.ts';
import { theRest } from './mutants/the-rest.ts';

const mutants = [...putting, ...reading, ...theRest];

/** What the rules of that title say about the mutant; undefined is a rule that has noticed nothing. */
async function complaintsOf({ harness }: Mutant, title: string): Promise<unknown[]> {
  const rules = storageContract(harness).filter((rule) => rule.title.includes(title));
  return Promise.all(rules.map(({ run }) => run().catch((error: unknown) => error)));
}

const complaints = new Map<string, unknown[]>();

// all at once: a rule that waits for a hanging plugin takes two seconds
beforeAll(async () => {
  const runs = mutants.flatMap((mutant) => mutant.caughtBy.map((title) => ({ mutant, title })));
  await Promise.all(
    runs.map(async ({ mutant, title }) => complaints.set(mutant.bug + title, await complaintsOf(mutant, title))),
  );
}, 20_000);

describe.each(mutants)('a plugin that $bug', ({ bug, caughtBy }) => {
  it.each(caughtBy)('is caught by the rule "%s"', (title) => {
    const found = complaints.get(bug + title) ?? [];

    expect(found).not.toHaveLength(0);
    for (const complaint of found) {
      expect(complaint).toBeInstanceOf(AssertionError);
      expect((complaint as Error).message).toMatch(/contract expects|must/);
    }
  });
});
