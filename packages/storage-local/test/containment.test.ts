import { mkdir, readdir, readFile, rename, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { LocalStorage } from '../src/index.ts';
import { bodyOf, emptyFolder, keysOf, read } from './folder.ts';

/** A store, and outside of it a secret and a folder. */
async function storeAndOutside() {
  const folder = await emptyFolder();
  const root = join(folder, 'root');
  const outside = join(folder, 'outside');
  await mkdir(root);
  await mkdir(outside);
  await writeFile(join(outside, 'secret'), 'secret');
  return { store: new LocalStorage('disk', { root }), root, outside };
}

const refusal = { code: 'INVALID_KEY', storage: 'disk' };

describe('keys stay below the root', () => {
  it.each(['../outside/secret', 'a/../../outside/secret', '/etc/passwd', 'a/./b', '..', '.'])(
    'refuses %s',
    async (key) => {
      const { store, outside } = await storeAndOutside();

      for (const call of [
        () => store.put(key, bodyOf('x')),
        () => store.open(key),
        () => store.head(key),
        () => store.delete(key),
        () => store.resolveUrl(key),
      ]) {
        await expect(call()).rejects.toMatchObject({ code: 'INVALID_KEY' });
      }
      expect(() => store.locate(key)).toThrow();
      expect(await readFile(join(outside, 'secret'), 'utf8')).toBe('secret');
    },
  );

  it('follows no symbolic link to a folder, whether it leads out or stays inside', async () => {
    const { store, root, outside } = await storeAndOutside();
    await store.put('real/a', bodyOf('bytes'));
    await symlink(outside, join(root, 'out'));
    await symlink(join(root, 'real'), join(root, 'in'));

    for (const key of ['out/secret', 'in/a']) {
      for (const call of [
        () => store.put(key, bodyOf('x')),
        () => store.open(key),
        () => store.head(key),
        () => store.delete(key),
      ]) {
        await expect(call()).rejects.toMatchObject({ ...refusal, key });
      }
    }
    await expect(store.put('out/new/deep/file', bodyOf('x'))).rejects.toMatchObject(refusal);

    expect(await readdir(outside)).toEqual(['secret']);
    expect(await keysOf(store)).toEqual(['real/a']);
    await expect(keysOf(store, 'out/')).rejects.toMatchObject({ code: 'INVALID_KEY' });
  });

  it('makes no folder behind a link that leads nowhere', async () => {
    const { store, root, outside } = await storeAndOutside();
    await symlink(join(outside, 'nowhere'), join(root, 'out'));

    await expect(store.put('out/deep/file', bodyOf('x'))).rejects.toMatchObject(refusal);

    expect(await readdir(outside)).toEqual(['secret']);
  });

  it('neither reads nor deletes nor replaces a symbolic link in the place of an object', async () => {
    const { store, root, outside } = await storeAndOutside();
    await symlink(join(outside, 'secret'), join(root, 'link'));

    for (const call of [
      () => store.open('link'),
      () => store.head('link'),
      () => store.delete('link'),
      () => store.put('link', bodyOf('x')),
      () => store.put('link', bodyOf('x'), { ifAbsent: true }),
    ]) {
      await expect(call()).rejects.toMatchObject({ ...refusal, key: 'link' });
    }

    expect(await keysOf(store)).toEqual([]);
    expect(await readFile(join(outside, 'secret'), 'utf8')).toBe('secret');
  });

  it('does not write through a folder that became a link while the body was read', async () => {
    const { store, root, outside } = await storeAndOutside();
    await store.put('films/1', bodyOf('bytes'));
    async function* swapping() {
      yield Buffer.from('half');
      await rename(join(root, 'films'), join(root, 'moved'));
      await symlink(outside, join(root, 'films'));
    }

    await expect(store.put('films/2', { chunks: swapping() })).rejects.toMatchObject(refusal);

    expect(await readdir(outside)).toEqual(['secret']);
  });

  it('may itself be a symbolic link: that is the choice of whoever set it up', async () => {
    const { outside } = await storeAndOutside();
    const link = join(await emptyFolder(), 'root');
    await symlink(outside, link);
    const store = new LocalStorage('disk', { root: link });

    await store.put('films/1', bodyOf('bytes'));

    expect(await readFile(join(outside, 'films/1'), 'utf8')).toBe('bytes');
    expect(await keysOf(store)).toEqual(['films/1', 'secret']);
    await store.delete('films/1');
    expect((await readdir(outside)).sort()).toEqual(['.paradoxon', 'secret']);
  });

  it('keeps keys apart that other systems might take for one', async () => {
    const { store } = await storeAndOutside();

    for (const key of ['\u00e9', 'e\u0301', 'A', 'a', '%2e%2e', "!@#$%^&()_+-=;',"]) await store.put(key, bodyOf(key));

    for (const key of await keysOf(store)) expect((await read(store, key)).toString()).toBe(key);
    expect(await keysOf(store)).toHaveLength(6);
  });
});
