import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { StorageCapabilities } from '@paradoxon/storage';
import { noiseBytes } from '../noise.ts';
import { holds, isStorageError, refused } from './expectations.ts';
import type { Rule } from './rule.ts';
import { inChunks, ScriptedBody } from './scripted-body.ts';

const WRITERS = 8;

const when = ({ write, createIfAbsent }: StorageCapabilities): boolean => write && createIfAbsent;

/** put with ifAbsent. */
export const createIfAbsent: readonly Rule[] = [
  {
    title: 'creates with ifAbsent where there is nothing',
    when,
    check: async (given) => {
      await given.put('new', noiseBytes(1000, 1), { ifAbsent: true });
      await holds(given.store, 'new', noiseBytes(1000, 1), 'ifAbsent to create an absent object');
    },
  },
  {
    title: 'refuses ifAbsent where there is an object, and leaves that one alone',
    when,
    check: async (given) => {
      await given.put('taken', noiseBytes(1000, 1), { metadata: { attempt: '1' } });
      const before = await given.inventory();

      await refused(
        given.put('taken', noiseBytes(1000, 2), { ifAbsent: true }),
        'ALREADY_EXISTS',
        'ifAbsent on a taken key',
      );

      await holds(given.store, 'taken', noiseBytes(1000, 1), 'the object that was there first to stay');
      assert.deepEqual(await given.inventory(), before, 'The contract expects a refused put to leave nothing behind.');
    },
  },
  {
    title: 'creates with ifAbsent again once the object has been deleted',
    when,
    check: async (given) => {
      await given.put('again', noiseBytes(10, 1), { ifAbsent: true });
      await given.store.delete('again');
      await given.put('again', noiseBytes(10, 2), { ifAbsent: true });
      await holds(given.store, 'again', noiseBytes(10, 2), 'ifAbsent to create a deleted object again');
    },
  },
  {
    title: `lets one of ${WRITERS} simultaneous writers with ifAbsent win, and keeps its bytes whole`,
    when,
    check: async ({ store }) => {
      const bodies = Array.from({ length: WRITERS }, (_, n) => noiseBytes(60_000 + n, n));
      const slowly = (bytes: Buffer): ScriptedBody =>
        new ScriptedBody(
          [...inChunks(bytes, 20_000)].flatMap((chunk) => [() => sleep(2), chunk]),
          { size: bytes.byteLength },
        );

      const outcomes = await Promise.allSettled(
        bodies.map((bytes) => store.put('contested', slowly(bytes), { ifAbsent: true })),
      );

      const winners = bodies.filter((_, n) => outcomes[n]?.status === 'fulfilled');
      assert.equal(winners.length, 1, `The contract expects one winner of ${WRITERS} writers, not ${winners.length}.`);
      for (const outcome of outcomes) {
        if (outcome.status === 'rejected') isStorageError(outcome.reason, 'ALREADY_EXISTS', 'a writer who lost');
      }
      await holds(store, 'contested', winners[0] ?? Buffer.alloc(0), "the winner's object to be there, whole");
    },
  },
];
