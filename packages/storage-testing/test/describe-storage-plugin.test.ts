import { afterEach, describe, expect, it } from '@jest/globals';
import { describeStoragePlugin, storageContract } from '../src/index.ts';
import { everything, readOnly } from './memory-harness.ts';

const names = ['describe', 'it'] as const;
const runner = Object.fromEntries(names.map((name) => [name, Object.getOwnPropertyDescriptor(globalThis, name)]));

function setGlobal(name: (typeof names)[number], value: unknown): void {
  Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
}

afterEach(() => {
  for (const name of names) Object.defineProperty(globalThis, name, runner[name] ?? {});
});

describe('describeStoragePlugin', () => {
  it('registers every case of the contract with the global describe and it', async () => {
    const groups: string[] = [];
    const registered = new Map<string, () => Promise<void>>();
    setGlobal('describe', (name: string, register: () => void) => {
      groups.push(name);
      register();
    });
    setGlobal('it', (title: string, run: () => Promise<void>) => registered.set(title, run));

    describeStoragePlugin('memory', everything());

    expect(groups).toEqual(['memory keeps the storage contract']);
    expect([...registered.keys()]).toEqual(storageContract(everything()).map(({ title }) => title));
    await registered.values().next().value?.();
  });

  it('says what to do when the runner has no globals', () => {
    setGlobal('describe', undefined);

    expect(() => describeStoragePlugin('memory', everything())).toThrow('storageContract(harness)');
  });
});

describe('storageContract', () => {
  it('has no two cases of one title', () => {
    const titles = storageContract(everything()).map(({ title }) => title);

    expect(new Set(titles).size).toBe(titles.length);
  });

  it('leaves out what a plugin does not claim, and tests the refusal', () => {
    const titles = storageContract({ ...readOnly(), supports: {} }).map(({ title }) => title);

    expect(
      titles.filter((title) => /^(writing|atomic put|create if absent|deleting|listing|keys)/.test(title)),
    ).toEqual(['writing: reports right checksums, and only those that it declares']);
    expect(titles).toEqual(
      expect.arrayContaining([
        'declaring: refuses to put and to delete, being read-only',
        'declaring: refuses ranges, which it does not support',
        'declaring: refuses ifMatch, which it does not support',
        'declaring: refuses to issue URLs, which it does not support',
      ]),
    );
  });

  it('puts the plugin away after each case, also after one that fails', async () => {
    let made = 0;
    let destroyed = 0;
    const harness = {
      ...everything(),
      supports: {},
      create: () => {
        made += 1;
        return everything().create();
      },
      destroy: () => {
        destroyed += 1;
        return Promise.resolve();
      },
    };

    const outcomes = await Promise.allSettled(storageContract(harness).map(({ run }) => run()));

    expect(outcomes.map(({ status }) => status)).toContain('rejected');
    expect(destroyed).toBe(made);
  });
});
