import assert from 'node:assert/strict';
import type { StorageCapabilities } from '@paradoxon/storage';
import { noiseBytes } from '../noise.ts';
import { holds, isAbsent, isStorageError, refused, settled } from './expectations.ts';
import { type Rule, writable } from './rule.ts';

const when = ({ write, ifMatch }: StorageCapabilities): boolean => write && ifMatch;

/** delete. */
export const deleting: readonly Rule[] = [
  {
    title: 'deletes an object and all that belongs to it',
    when: writable,
    check: async (given) => {
      const before = await given.inventory();
      await given.put('films/9/gone.mp4', noiseBytes(1000, 1), { contentType: 'video/mp4', metadata: { scene: '9' } });

      await given.store.delete('films/9/gone.mp4');

      await isAbsent(given.store, 'films/9/gone.mp4', 'a deleted object');
      await refused(given.store.open('films/9/gone.mp4'), 'NOT_FOUND', 'open of a deleted object');
      assert.deepEqual(await given.inventory(), before, 'The contract expects delete to leave nothing behind.');
    },
  },
  {
    title: 'resolves when it deletes what is not there',
    when: writable,
    check: async ({ store }) => {
      await store.delete('never/there.mp4');
      await store.delete('never/there.mp4');
    },
  },
  {
    title: 'deletes one object and no other',
    when: writable,
    check: async (given) => {
      await given.put('films/1', noiseBytes(10, 1));
      await given.put('films/10', noiseBytes(10, 2));
      await given.store.delete('films/1');
      await holds(given.store, 'films/10', noiseBytes(10, 2), 'the neighbour of a deleted object to stay');
    },
  },
  {
    title: 'deletes the version that ifMatch names',
    when,
    check: async (given) => {
      const { etag = '' } = await given.put('versioned', noiseBytes(10, 1));
      await given.store.delete('versioned', { ifMatch: etag });
      await isAbsent(given.store, 'versioned', 'an object deleted with its own etag');
    },
  },
  {
    title: 'protects a newer copy from a delete with a stale ifMatch',
    when,
    check: async (given) => {
      const { etag = '' } = await given.put('versioned', noiseBytes(10, 1));
      await given.put('versioned', noiseBytes(10, 2));

      await refused(
        given.store.delete('versioned', { ifMatch: etag }),
        'PRECONDITION_FAILED',
        'delete with a stale ifMatch',
      );

      await holds(given.store, 'versioned', noiseBytes(10, 2), 'the newer copy to stay');
    },
  },
  {
    title: 'deletes nothing when the signal has aborted',
    when: writable,
    check: async (given) => {
      await given.put('kept', noiseBytes(10, 1));
      const outcome = await settled(given.store.delete('kept', { signal: AbortSignal.abort() }), 'an aborted delete');
      assert.ok(!outcome.ok, 'The contract expects delete with an aborted signal to reject.');
      isStorageError(outcome.error, 'ABORTED', 'delete with an aborted signal');
      await holds(given.store, 'kept', noiseBytes(10, 1), 'an object whose deletion was aborted to stay');
    },
  },
];
