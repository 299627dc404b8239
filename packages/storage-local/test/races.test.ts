import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import type { PutOptions } from '@paradoxon/storage';
import { BodyReader } from '@paradoxon/storage/plugin';
import { LocalStorage } from '../src/index.ts';
import { deleteObject } from '../src/object-delete.ts';
import { openObjectFile } from '../src/object-file.ts';
import { ObjectFolder } from '../src/object-folder.ts';
import { writeObject } from '../src/object-write.ts';
import { Sidecars } from '../src/sidecar.ts';
import { bodyOf, emptyFolder, keysOf, ownFiles, read } from './folder.ts';

const nothing = (): Promise<unknown> => Promise.resolve();

/** A folder in which somebody else acts at the moments that matter. */
class RacingFolder extends ObjectFolder {
  /** After a delete has looked at the version, before it moves the file aside. */
  afterLook = nothing;
  /** After a delete has seen that it moved another version; after a put has written its description. */
  beforePath = nothing;
  /** Before a put moves its file into the folder that was made for it. */
  afterPath = nothing;

  override async prepare(): Promise<void> {
    await super.prepare();
    await this.afterLook();
  }

  override async makePathOf(key: string): Promise<string> {
    await this.beforePath();
    const path = await super.makePathOf(key);
    await this.afterPath();
    return path;
  }
}

async function race() {
  const root = await emptyFolder();
  const folder = new RacingFolder(root);
  const store = new LocalStorage('disk', { root });
  const { etag = '' } = await store.put('films/a', bodyOf('old'), { contentType: 'video/mp4' });
  const sidecars = new Sidecars(folder.sidecars, folder.temps);
  const remove = (ifMatch?: string) => deleteObject(folder, sidecars, 'films/a', ifMatch);
  const write = (key: string, text: string, options: PutOptions = {}) => {
    const body = bodyOf(text);
    const call = { storage: 'disk', root, operation: 'put', key };
    return writeObject(folder, sidecars, call, body, new BodyReader(body, undefined), options);
  };
  return { root, folder, store, etag, remove, write };
}

describe('a delete of one version, while somebody else', () => {
  it('has overwritten it before, does not even touch the newer one', async () => {
    const { folder, remove } = await race();
    folder.afterLook = () => Promise.reject(new Error('about to be moved aside'));

    await expect(remove('another version')).rejects.toMatchObject({ code: 'PRECONDITION_FAILED' });
  });

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
    folder.beforePath = async () => (newest = await store.put('films/a', bodyOf('newest')));

    await expect(remove(etag)).rejects.toMatchObject({ code: 'PRECONDITION_FAILED' });

    expect(await store.head('films/a')).toEqual(newest);
    expect((await ownFiles(root)).temps).toBe(0);
  });

  it('overwrites it and prunes its folder, makes the folder again for what it puts back', async () => {
    const { folder, store, etag, remove } = await race();
    folder.afterLook = () => store.put('films/a', bodyOf('newer'));
    folder.beforePath = () => store.delete('films/a');

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

describe('a put, while somebody else', () => {
  it('prunes the folder that it has just made, makes it again', async () => {
    const { root, folder, store, write } = await race();
    let pruned = 0;
    folder.afterPath = async () => {
      if ((pruned += 1) <= 3) await rm(join(root, 'new'), { recursive: true });
    };

    await write('new/folder/a', 'bytes');

    expect((await read(store, 'new/folder/a')).toString()).toBe('bytes');
  });

  it('overwrites the key with its own description in between, keeps both descriptions where they belong', async () => {
    const { root, folder, store, write } = await race();
    let first = true;
    let between: unknown;
    folder.beforePath = async () => {
      if (!first) return;
      first = false;
      between = await store.put('films/a', bodyOf('between'), { metadata: { writer: 'between' } });
      expect(await store.head('films/a')).toEqual(between);
    };

    const stored = await write('films/a', 'last', { metadata: { writer: 'last' } });

    expect(await store.head('films/a')).toEqual(stored);
    expect(stored.metadata).toEqual({ writer: 'last' });
    expect(await ownFiles(root)).toEqual({ temps: 0, sidecars: 1 });
  });

  it('makes a folder of its key while it reads, takes the place of an empty one only', async () => {
    const { root, folder, store, write } = await race();

    folder.beforePath = () => mkdir(join(root, 'empty'));
    await write('empty', 'bytes');
    folder.beforePath = () => store.put('full/b', bodyOf('below'));
    for (const ifAbsent of [false, true]) {
      await expect(write('full', 'bytes', { ifAbsent })).rejects.toMatchObject({ code: 'INVALID_KEY' });
    }

    expect(await keysOf(store)).toEqual(['empty', 'films/a', 'full/b']);
    expect((await ownFiles(root)).temps).toBe(0);
  });
});

it('opening an object, while somebody else overwrites it, describes the version that it gives', async () => {
  const { root, store } = await race();
  let newer: unknown;
  class RacingSidecars extends Sidecars {
    /** The file is open; the description of its version is not read yet. */
    override async read(key: string, version: string) {
      newer ??= await store.put('films/a', bodyOf('newer'), { contentType: 'video/webm' });
      return super.read(key, version);
    }
  }

  const folder = new ObjectFolder(root);
  const file = await openObjectFile(
    join(root, 'films/a'),
    'films/a',
    new RacingSidecars(folder.sidecars, folder.temps),
  );

  expect(file?.info).toEqual(newer);
  expect((await file?.handle.readFile())?.toString()).toBe('newer');
  await file?.handle.close();
});
