import assert from 'node:assert/strict';
import { STORAGE_API_VERSION, type StorageCapabilities } from '@paradoxon/storage';
import { anyBody, refused } from './expectations.ts';
import { type Rule, writable } from './rule.ts';
import { ScriptedBody } from './scripted-body.ts';

const NAME = /^[a-z0-9][a-z0-9-]{0,62}$/;

/** What a plugin says about itself, and that it refuses what it says it cannot do. */
export const declaring: readonly Rule[] = [
  {
    title: 'speaks this version of the contract and has a kind and an id',
    check: ({ store }) => {
      assert.equal(store.apiVersion, STORAGE_API_VERSION, 'The contract expects apiVersion to be STORAGE_API_VERSION.');
      assert.match(store.kind, NAME, 'The contract expects `kind` to be lower case, digits and dashes.');
      assert.match(store.id, NAME, 'The contract expects `id` to be lower case, digits and dashes.');
    },
  },
  {
    title: 'declares the capabilities that its author claims, and no others',
    check: ({ store, claims }) => {
      for (const name of Object.keys(claims) as (keyof StorageCapabilities)[]) {
        assert.deepEqual(
          store.capabilities[name],
          claims[name],
          `plugin.capabilities.${name} and harness.supports.${name} must be the same. What the harness does not name ` +
            'counts as not supported (maxObjectBytes: as unlimited), and is tested to be refused.',
        );
      }
    },
  },
  {
    title: 'has list() and sweepIncomplete() exactly when it declares them',
    check: ({ store }) => {
      for (const name of ['list', 'sweepIncomplete'] as const) {
        assert.equal(
          typeof store[name] === 'function',
          store.capabilities[name],
          `The contract expects ${name}() to be there exactly when capabilities.${name} is true.`,
        );
      }
    },
  },
  {
    title: 'refuses to put and to delete, being read-only',
    when: ({ write }) => !write,
    check: async (given) => {
      const { key } = await given.object();
      await refused(given.store.put(key, anyBody()), 'UNSUPPORTED', 'put to a read-only store');
      await refused(given.store.delete(key), 'UNSUPPORTED', 'delete in a read-only store');
      await given.store.head(key);
    },
  },
  {
    title: 'refuses ranges, which it does not support',
    when: ({ range }) => !range,
    check: async (given) => {
      const { key } = await given.object();
      await refused(given.store.open(key, { range: { start: 1 } }), 'UNSUPPORTED', 'a range where range is false');
    },
  },
  {
    title: 'refuses ifMatch, which it does not support',
    when: ({ ifMatch }) => !ifMatch,
    check: async (given) => {
      const { key } = await given.object();
      await refused(given.store.open(key, { ifMatch: 'v1' }), 'UNSUPPORTED', 'open with ifMatch where it is false');
      await refused(given.store.delete(key, { ifMatch: 'v1' }), 'UNSUPPORTED', 'delete with ifMatch where it is false');
      await given.store.head(key);
    },
  },
  {
    title: 'refuses ifAbsent, which it does not support, and stores nothing',
    when: ({ write, createIfAbsent }) => write && !createIfAbsent,
    check: async ({ store }) => {
      await refused(store.put('a', anyBody(), { ifAbsent: true }), 'UNSUPPORTED', 'ifAbsent where it is false');
      await refused(store.head('a'), 'NOT_FOUND', 'head after a refused put');
    },
  },
  {
    title: 'refuses a body of unknown size, which it does not support, and stores nothing',
    when: ({ write, unknownSize }) => write && !unknownSize,
    check: async ({ store }) => {
      const body = new ScriptedBody([Buffer.from('any')]);
      await refused(store.put('a', body), 'UNSUPPORTED', 'a body without size where unknownSize is false');
      await refused(store.head('a'), 'NOT_FOUND', 'head after a refused put');
    },
  },
  {
    title: 'refuses to issue URLs, which it does not support',
    when: ({ signedUrl }) => signedUrl === false,
    check: async (given) => {
      const { key } = await given.object();
      await refused(given.store.resolveUrl(key), 'UNSUPPORTED', 'resolveUrl where signedUrl is false');
    },
  },
  {
    title: 'refuses a body announced as larger than its largest object, and stores nothing',
    when: ({ write, maxObjectBytes }) => write && Number.isSafeInteger(maxObjectBytes + 1),
    check: async ({ store, claims }) => {
      const body = new ScriptedBody([Buffer.from('any')], { size: claims.maxObjectBytes + 1 });
      await refused(store.put('a', body), 'TOO_LARGE', 'a body announced as larger than maxObjectBytes');
      await refused(store.head('a'), 'NOT_FOUND', 'head after a refused put');
    },
  },
  {
    title: 'names store and operation in its errors',
    check: async (given) => {
      const { store, claims } = given;
      const missing = claims.write
        ? await refused(store.head(given.absentKey()), 'NOT_FOUND', 'head of an absent key')
        : await refused(store.put('a', anyBody()), 'UNSUPPORTED', 'put to a read-only store');
      assert.equal(
        missing.storage,
        store.id,
        'The contract expects an error to carry the id of its store in `storage`.',
      );
      assert.equal(
        missing.operation,
        claims.write ? 'head' : 'put',
        'The contract expects an error to carry the method that was called in `operation`.',
      );
    },
  },
  {
    title: 'keeps two instances apart',
    when: writable,
    check: async (given) => {
      const other = await given.another();
      const { key } = await given.object();

      await refused(other.head(key), 'NOT_FOUND', 'head in another instance than the one that stored the object');
    },
  },
  {
    title: 'can be closed twice',
    check: async ({ store }) => {
      await store.close?.();
      await store.close?.();
    },
  },
];
