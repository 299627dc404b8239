import { describeStoragePlugin, type FaultyStorage, faultyStorage, MemoryStorage } from '../src/index.ts';
import { everything, poor, readOnly, served } from './memory-harness.ts';

describeStoragePlugin('MemoryStorage', everything());

describeStoragePlugin('MemoryStorage with most capabilities switched off', poor());

describeStoragePlugin('MemoryStorage, read-only', readOnly());

describeStoragePlugin('MemoryStorage with signed links', served());

const inside = new WeakMap<object, MemoryStorage>();

describeStoragePlugin('faultyStorage with an empty plan', {
  ...everything(),
  create: () => {
    const inner = new MemoryStorage();
    const store: FaultyStorage = faultyStorage(inner, {});
    inside.set(store, inner);
    return Promise.resolve(store);
  },
  leftovers: (plugin) => Promise.resolve(inside.get(plugin)?.leftovers() ?? []),
});
