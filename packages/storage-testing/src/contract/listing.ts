import assert from 'node:assert/strict';
import type { ObjectInfo, StorageCapabilities, StoragePlugin } from '@paradoxon/storage';
import { noiseBytes } from '../noise.ts';
import { isStorageError, settled } from './expectations.ts';
import type { Rule } from './rule.ts';

const when = ({ write, list }: StorageCapabilities): boolean => write && list;

async function listed(store: StoragePlugin, prefix: string, signal?: AbortSignal): Promise<ObjectInfo[]> {
  const found: ObjectInfo[] = [];
  for await (const info of store.list?.(prefix, signal ? { signal } : {}) ?? []) found.push(info);
  return found;
}

const keysOf = (infos: readonly ObjectInfo[]): string[] => infos.map(({ key }) => key).sort();

/** list. */
export const listing: readonly Rule[] = [
  {
    title: 'lists every object once, with its size',
    when,
    check: async (given) => {
      const keys = Array.from({ length: 25 }, (_, n) => `films/${n % 5}/scene-${n}.mp4`);
      await Promise.all(keys.map((key, n) => given.put(key, noiseBytes(n, n))));

      const found = await listed(given.store, '');

      assert.deepEqual(keysOf(found), [...keys].sort(), 'The contract expects list to give every key once.');
      for (const { key, size, metadata, checksums } of found) {
        assert.equal(size, keys.indexOf(key), 'The contract expects list to give the size of each object.');
        assert.equal(typeof metadata, 'object', 'The contract expects list to give metadata, {} when it knows none.');
        assert.equal(typeof checksums, 'object', 'The contract expects list to give checksums, {} when it knows none.');
      }
    },
  },
  {
    title: 'lists by prefix, which need not end at a slash',
    when,
    check: async (given) => {
      for (const key of ['films/1/a', 'films/10/b', 'films/2/c', 'other/1']) await given.put(key, noiseBytes(1, 1));
      for (const [prefix, keys] of [
        ['films/1', ['films/1/a', 'films/10/b']],
        ['films/1/', ['films/1/a']],
        ['films/1/a', ['films/1/a']],
        ['nothing', []],
      ] as const) {
        assert.deepEqual(
          keysOf(await listed(given.store, prefix)),
          keys,
          `The contract expects list('${prefix}') to give the keys that start with it, and no others.`,
        );
      }
    },
  },
  {
    title: 'lists nothing in an empty store',
    when: ({ write, list }) => write && list,
    check: async ({ store }) => {
      assert.deepEqual(await listed(store, ''), [], 'The contract expects an empty store to list nothing.');
    },
  },
  {
    title: 'may be left in the middle of a list',
    when,
    check: async (given) => {
      for (const key of ['a', 'b', 'c']) await given.put(key, noiseBytes(1, 1));
      for await (const _info of given.store.list?.('') ?? []) break;
      assert.equal((await listed(given.store, '')).length, 3, 'The contract expects a list to start anew each time.');
    },
  },
  {
    title: 'settles with ABORTED when list is called with an aborted signal',
    when: ({ list }) => list,
    check: async ({ store }) => {
      const outcome = await settled(listed(store, '', AbortSignal.abort()), 'list with an aborted signal');
      assert.ok(!outcome.ok, 'The contract expects list with an aborted signal to reject.');
      isStorageError(outcome.error, 'ABORTED', 'list with an aborted signal');
    },
  },
];
