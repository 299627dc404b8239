import type { StoragePlugin } from '@paradoxon/storage';
import { MemoryStorage, type StorageHarness } from '../src/index.ts';
import { type LinkFlaws, ServedMemory } from './served-memory.ts';

/** The reference plugin, or something built on it. */
export function everything(create: () => StoragePlugin = () => new MemoryStorage()): StorageHarness {
  return {
    supports: {
      write: true,
      range: true,
      ifMatch: true,
      createIfAbsent: true,
      unknownSize: true,
      list: true,
      sweepIncomplete: true,
      checksums: ['sha256'],
      maxObjectBytes: 1024 ** 3,
    },
    create: () => Promise.resolve(create()),
    leftovers: (plugin) => Promise.resolve(plugin instanceof MemoryStorage ? plugin.leftovers() : []),
  };
}

/** A store that can write, and nothing else. */
export function poor(create?: () => StoragePlugin): StorageHarness {
  const supports = {
    write: true,
    range: false,
    ifMatch: false,
    createIfAbsent: false,
    unknownSize: false,
    list: false,
    sweepIncomplete: false,
    checksums: [],
    maxObjectBytes: 64 * 1024 ** 2,
  };
  return { ...everything(create ?? (() => new MemoryStorage('poor', supports))), supports };
}

/** A store that can only read. */
export function readOnly(): StorageHarness {
  const key = 'films/1/scene.mp4';
  const bytes = Buffer.from('bytes that somebody else has put there, long ago');
  return {
    supports: { range: true, ifMatch: true, list: true, checksums: ['sha256'], maxObjectBytes: 1024 ** 3 },
    create: () => {
      const store = new MemoryStorage('read-only', {
        write: false,
        createIfAbsent: false,
        unknownSize: false,
        sweepIncomplete: false,
      });
      store.seed(key, bytes);
      return Promise.resolve(store);
    },
    sample: () => Promise.resolve({ key, bytes }),
    absentKey: 'films/1/absent.mp4',
  };
}

/** A store that issues signed links. */
export function served(flaws?: LinkFlaws): StorageHarness {
  const harness = everything();
  return {
    ...harness,
    supports: { ...harness.supports, signedUrl: { maxTtlSeconds: 3600 } },
    create: () => ServedMemory.start(flaws),
  };
}
