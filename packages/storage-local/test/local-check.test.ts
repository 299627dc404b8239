import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from '@jest/globals';
import { LocalStorage } from '../src/index.ts';
import { emptyFolder, filesIn } from './folder.ts';

it('checks the folder, the free space and a canary, each level more than the one before', async () => {
  const root = await emptyFolder();
  const store = new LocalStorage('disk', { root });

  const config = await store.check('config');
  const reach = await store.check('reach');
  const write = await store.check('write');

  expect(config.steps.map(({ name }) => name)).toEqual(['options']);
  expect(reach.steps.map(({ name }) => name)).toEqual(['options', 'folder', 'free space']);
  expect(write.steps.slice(3).map(({ name }) => name)).toEqual(['write', 'look', 'read', 'create only', 'delete']);
  for (const { ok, steps } of [config, reach, write])
    expect([ok, steps.every((step) => step.ok)]).toEqual([true, true]);
  expect(reach.steps[2]?.detail).toMatch(/^\d+\.\d GiB of \d+\.\d GiB free\.$/);
  expect(await filesIn(root)).toEqual([]);
});

it('finds a folder that the first write will make, and makes none itself', async () => {
  const parent = await emptyFolder();
  const store = new LocalStorage('disk', { root: join(parent, 'not/yet') });

  const report = await store.check('reach');

  expect(report.ok).toBe(true);
  expect(report.steps[1]?.detail).toContain('does not exist yet');
  await expect(store.head('a')).rejects.toMatchObject({ code: 'UNAVAILABLE' });
});

it('says which step fails and what to do, and tries no step after it', async () => {
  const folder = await emptyFolder();
  await writeFile(join(folder, 'file'), '');

  const report = await new LocalStorage('disk', { root: join(folder, 'file') }).check('write');

  expect(report.ok).toBe(false);
  expect(report.steps.at(-1)).toMatchObject({ name: 'folder', ok: false });
  expect(report.steps.at(-1)?.detail).toContain('is not a folder');
});

it('finds out that the folder for unfinished files cannot be used', async () => {
  const root = await emptyFolder();
  await mkdir(join(root, '.paradoxon'));
  await writeFile(join(root, '.paradoxon/tmp'), 'in the way');

  const report = await new LocalStorage('disk', { root }).check('write');

  expect(report.steps.filter(({ ok }) => !ok).map(({ name }) => name)).toEqual(['write']);
  expect(await filesIn(root)).toEqual(['.paradoxon/tmp']);
});

it('rejects only when it is aborted', async () => {
  const store = new LocalStorage('disk', { root: await emptyFolder() });

  await expect(store.check('write', { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'ABORTED' });
});

it('leaves no canary behind when it is aborted half-way', async () => {
  const abort = new AbortController();
  class AbortedStorage extends LocalStorage {
    override async put(...call: Parameters<LocalStorage['put']>) {
      const stored = await super.put(...call);
      abort.abort();
      return stored;
    }
  }
  const root = await emptyFolder();

  const check = new AbortedStorage('disk', { root }).check('write', { signal: abort.signal });

  await expect(check).rejects.toMatchObject({ code: 'ABORTED' });
  expect(await filesIn(root)).toEqual([]);
});
