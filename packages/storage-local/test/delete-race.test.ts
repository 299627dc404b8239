import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { LocalStorage } from '../src/index.ts';
import { deleteObject } from '../src/object-delete.ts';
import { ObjectFolder } from '../src/object-folder.ts';
import { Sidecars } from '../src/sidecar.ts';
import { bodyOf, emptyFolder, keysOf, ownFiles, read } from './folder.ts';

/** A folder in which somebody else acts at the two moments that matter to a delete. */
class RacingFolder extends ObjectFolder {
  /** After the delete has looked at the version, before it moves the file aside. */
  afterLook = (): Promise<unknown> => Promise.resolve();
  /** After it has seen that it moved another version, before it puts that back. */
  beforeRestore = (): Promise<unknown> => Promise.resolve();

  override async prepare(): Promise<void> {
    await super.prepare();
    await this.afterLook();
  }

  override async makePathOf(key: string): Promise<string> {
    await this.beforeRestore();
    return super.makePathOf(key);
  }
}

async function race() {
  const root = await emptyFolder();
  const folder = new RacingFolder(root);
  const store = new LocalStorage('disk', { root });
  const { etag = '' } = await store.put('films/a', bodyOf('old'), { contentType: 'video/mp4' });
  const remove = (ifMatch?: string) =>
    deleteObject(folder, new Sidecars(folder.sidecars, folder.temps), 'films/a', ifMatch);
  return { root, folder, store, etag, remove };
}

describe('a delete of one version, while somebody else', () => {
  it('overwrites it, puts the newer version back as it was', async () => {
    const { root, folder, store, etag, remove } = await race();
    let newer: unknown;
    folder.afterLook = async () => (newer = await store.put('films/a', bodyOf('newer'), { contentType: 'video/webm' }));

    await expect(remove(etag)).rejects.toMatchObject({ code: 'PRECONDITION_FAILED' });

    expect(await store.head('films/a')).toEqual(newer);
    expect((await read(store, 'films/a')).toString()).toBe('newer');
    expect(await ownFiles(root)).toEqual({ temps: 0, sidecars: 1 });
  });

  it('overwrites it twice, leaves the newest in place', async () => {
    const { root, folder, store, etag, remove } = await race();
    let newest: unknown;
    folder.afterLook = () => store.put('films/a', bodyOf('newer'));
    folder.beforeRestore = async () => (newest = await store.put('films/a', bodyOf('newest')));

    await expect(remove(etag)).rejects.toMatchObject({ code: 'PRECONDITION_FAILED' });

    expect(await store.head('films/a')).toEqual(newest);
    expect((await ownFiles(root)).temps).toBe(0);
  });

  it('overwrites it and prunes its folder, makes the folder again for what it puts back', async () => {
    const { folder, store, etag, remove } = await race();
    folder.afterLook = () => store.put('films/a', bodyOf('newer'));
    folder.beforeRestore = () => store.delete('films/a');

    await expect(remove(etag)).rejects.toMatchObject({ code: 'PRECONDITION_FAILED' });

    expect((await read(store, 'films/a')).toString()).toBe('newer');
  });

  it('deletes it too, has nothing left to do', async () => {
    const { root, folder, store, etag, remove } = await race();
    folder.afterLook = () => store.delete('films/a');

    await remove(etag);

    expect(await keysOf(store)).toEqual([]);
    expect(await ownFiles(root)).toEqual({ temps: 0, sidecars: 0 });
  });

  it('puts a folder of objects in its place, does not move that away', async () => {
    const { root, folder, store, remove } = await race();
    folder.afterLook = async () => {
      await store.delete('films/a');
      await store.put('films/a/b', bodyOf('below'));
    };

    await remove();

    expect((await read(store, 'films/a/b')).toString()).toBe('below');
    expect(await readdir(join(root, '.paradoxon/tmp'))).toEqual([]);
  });
});
