import { createHash } from 'node:crypto';
import { copyFile, mkdir, readdir, readFile, rm, stat, truncate, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from '@jest/globals';
import { LocalStorage } from '../src/index.ts';
import { bodyOf, chunksOf, emptyFolder, filesIn, keysOf, ownFiles, read } from './folder.ts';

async function emptyStore(): Promise<{ store: LocalStorage; root: string }> {
  const root = await emptyFolder();
  return { store: new LocalStorage('disk', { root }), root };
}

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

describe('an object', () => {
  it('is a plain file at its key, byte for byte, with the checksum that sha256sum shows', async () => {
    const { store, root } = await emptyStore();
    const bytes = Buffer.from('the film'.repeat(100_000));

    const stored = await store.put('films/f1/scene 1.mp4', bodyOf(bytes), { contentType: 'video/mp4' });

    expect((await readFile(join(root, 'films/f1/scene 1.mp4'))).equals(bytes)).toBe(true);
    expect(stored).toMatchObject({
      key: 'films/f1/scene 1.mp4',
      size: bytes.length,
      contentType: 'video/mp4',
      checksums: { sha256: sha256(bytes) },
    });
    expect(await store.head('films/f1/scene 1.mp4')).toEqual(stored);
  });

  it('may be read by other users of the machine once it is whole, and by nobody else before', async () => {
    const { store, root } = await emptyStore();

    await store.put('a.mp4', bodyOf('bytes'));

    expect((await stat(join(root, 'a.mp4'))).mode & 0o777).toBe(0o644 & ~process.umask());
    expect((await stat(join(root, '.paradoxon/tmp'))).mode & 0o777).toBe(0o700);
  });

  it('is readable without a description: files restored or copied in by hand', async () => {
    const { store, root } = await emptyStore();
    await mkdir(join(root, 'films'));
    await writeFile(join(root, 'films/old.mp4'), 'restored');

    const info = await store.head('films/old.mp4');

    expect(info).toMatchObject({ size: 8, checksums: {}, metadata: {} });
    expect(info).not.toHaveProperty('contentType');
    expect(await read(store, 'films/old.mp4')).toEqual(Buffer.from('restored'));
    expect(await keysOf(store)).toEqual(['films/old.mp4']);
    await store.delete('films/old.mp4', { ifMatch: info.etag ?? '' });
    expect(await keysOf(store)).toEqual([]);
  });

  it('does not take over the description of the file that somebody replaced by hand', async () => {
    const { store, root } = await emptyStore();
    const stored = await store.put('a.mp4', bodyOf('12345678'), { contentType: 'video/mp4' });

    await writeFile(join(root, 'a.mp4'), '87654321');

    const info = await store.head('a.mp4');
    expect(info.etag).not.toBe(stored.etag);
    expect(info.checksums).toEqual({});
  });

  it('stays readable when its description is damaged', async () => {
    const { store, root } = await emptyStore();
    await store.put('a.mp4', bodyOf('bytes'), { contentType: 'video/mp4' });
    const [sidecar = ''] = (await filesIn(root)).filter((file) => file.includes('/meta/'));
    await truncate(join(root, sidecar), 10);

    expect(await store.head('a.mp4')).toMatchObject({ size: 5, checksums: {} });
    expect(await read(store, 'a.mp4')).toEqual(Buffer.from('bytes'));
  });
});

describe('put', () => {
  it('gives 50 writes of one size, one after the other, 50 versions', async () => {
    const { store } = await emptyStore();

    const etags = new Set<string | undefined>();
    for (let n = 0; n < 50; n += 1) etags.add((await store.put('a', bodyOf(`version ${n % 10}`))).etag);

    expect(etags.size).toBe(50);
  });

  it('keeps one description per object, however often it is overwritten', async () => {
    const { store, root } = await emptyStore();

    for (let n = 0; n < 5; n += 1) await store.put('a', bodyOf('x'.repeat(n)));

    expect(await ownFiles(root)).toEqual({ temps: 0, sidecars: 1 });
  });

  it('never pairs the bytes of one writer with the description of another', async () => {
    const { store, root } = await emptyStore();
    await store.put('a', bodyOf('start'), { metadata: { content: 'start' } });
    let writing = true;

    const writers = Promise.all(
      ['alpha', 'bravo', 'delta'].map(async (content) => {
        for (let n = 0; n < 15; n += 1) await store.put('a', bodyOf(content), { metadata: { content } });
      }),
    ).then(() => (writing = false));
    let reads = 0;
    for (; writing; reads += 1) {
      const opened = await store.open('a');
      const bytes = await buffer(opened.body);
      expect(bytes.toString()).toBe(opened.metadata['content']);
      expect(opened.checksums.sha256).toBe(sha256(bytes));
    }
    await writers;

    expect(reads).toBeGreaterThan(10);
    expect(await ownFiles(root)).toEqual({ temps: 0, sidecars: 1 });
  });

  it('stores what a chunk was when it was given, though its memory is used again for the next', async () => {
    const { store } = await emptyStore();
    const chunk = Buffer.alloc(64 * 1024);
    function* recycled() {
      for (let n = 1; n <= 40; n += 1) {
        yield chunk.fill(n);
        chunk.fill(0xff);
      }
    }

    await store.put('a', { chunks: chunksOf(recycled()) });

    const expected = Buffer.concat(Array.from({ length: 40 }, (_, n) => Buffer.alloc(64 * 1024, n + 1)));
    expect((await read(store, 'a')).equals(expected)).toBe(true);
  });

  it('asks for the next chunk only when the last is written', async () => {
    const { store, root } = await emptyStore();
    const onDisk: number[] = [];
    async function* watched() {
      for (let n = 0; n < 4; n += 1) {
        const [temp] = await readdir(join(root, '.paradoxon/tmp'));
        onDisk.push((await stat(join(root, '.paradoxon/tmp', temp ?? ''))).size);
        yield Buffer.alloc(1000);
      }
    }

    await store.put('a', { chunks: watched() });

    expect(onDisk).toEqual([0, 1000, 2000, 3000]);
  });

  it('refuses a body whose own SHA-256 differs from that of the file, and leaves nothing', async () => {
    const { store, root } = await emptyStore();

    const put = store.put('a', { ...bodyOf('bytes'), checksums: () => ({ sha256: '00'.repeat(32) }) });

    await expect(put).rejects.toMatchObject({ code: 'CHECKSUM_MISMATCH', storage: 'disk', operation: 'put', key: 'a' });
    expect(await filesIn(root)).toEqual([]);
  });

  it.each([
    { size: 4, code: 'TOO_LARGE' },
    { size: 6, code: 'SOURCE_TRUNCATED' },
  ])('refuses 5 bytes announced as $size with $code, and leaves nothing', async ({ size, code }) => {
    const { store, root } = await emptyStore();

    await expect(store.put('films/a', { ...bodyOf('12', '345'), size })).rejects.toMatchObject({ code });

    expect(await filesIn(root)).toEqual([]);
    expect(await readdir(root)).toEqual(['.paradoxon']);
  });

  it('hands on what the source threw, unchanged, even when it looks like an error of the disk', async () => {
    const { store, root } = await emptyStore();
    const failure = Object.assign(new Error('the source is full'), { code: 'ENOSPC', errno: -28 });
    function* failing() {
      yield Buffer.from('half');
      throw failure;
    }

    await expect(store.put('a', { chunks: chunksOf(failing()) })).rejects.toBe(failure);

    expect(await filesIn(root)).toEqual([]);
  });

  it('settles at once when it is aborted, though the source stalls and never answers, and closes the source', async () => {
    const { store, root } = await emptyStore();
    const abort = new AbortController();
    const source = new PassThrough();
    source.write('first bytes');

    const put = store.put('a', { chunks: source }, { signal: abort.signal });
    setTimeout(() => abort.abort(), 30);
    const before = performance.now();

    await expect(put).rejects.toMatchObject({ code: 'ABORTED', scope: 'local' });
    expect(performance.now() - before).toBeLessThan(500);
    expect(source.destroyed).toBe(true);
    expect(await filesIn(root)).toEqual([]);
  });

  it('settles at once when it is aborted, though the source is a generator that hangs for ever', async () => {
    const { store, root } = await emptyStore();
    const abort = new AbortController();
    async function* hanging() {
      yield Buffer.from('first bytes');
      await new Promise(() => undefined);
    }

    const put = store.put('a', { chunks: hanging() }, { signal: abort.signal });
    setTimeout(() => abort.abort(), 30);

    await expect(put).rejects.toMatchObject({ code: 'ABORTED' });
    expect(await filesIn(root)).toEqual([]);
  });

  it('closes a source that it refuses before reading it', async () => {
    const { store } = await emptyStore();
    await store.put('a', bodyOf('first'));
    const source = new PassThrough();

    await expect(store.put('a', { chunks: source }, { ifAbsent: true })).rejects.toMatchObject({
      code: 'ALREADY_EXISTS',
    });

    expect(source.destroyed).toBe(true);
  });

  it('leaves one winner of ten that create the same object', async () => {
    const { store, root } = await emptyStore();

    const outcomes = await Promise.allSettled(
      Array.from({ length: 10 }, (_, n) => store.put('a', bodyOf(`writer ${n}`), { ifAbsent: true })),
    );

    const winner = outcomes.findIndex(({ status }) => status === 'fulfilled');
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ code: 'ALREADY_EXISTS' });
    }
    expect(await read(store, 'a')).toEqual(Buffer.from(`writer ${winner}`));
    expect(await ownFiles(root)).toEqual({ temps: 0, sidecars: 1 });
  });

  it('makes the root when it is missing', async () => {
    const root = join(await emptyFolder(), 'data/objects');
    const store = new LocalStorage('disk', { root });

    await store.put('a', bodyOf('bytes'));

    expect(await readFile(join(root, 'a'), 'utf8')).toBe('bytes');
  });

  it('refuses, before it reads, a key below an object', async () => {
    const { store } = await emptyStore();
    await store.put('a', bodyOf('bytes'));
    const source = new PassThrough();

    await expect(store.put('a/b', { chunks: source })).rejects.toMatchObject({ code: 'INVALID_KEY' });
    await expect(store.put('a/b', bodyOf('more'))).rejects.toThrow('has an object where this key needs a folder');
    await expect(store.put('a/b/c', bodyOf('more'))).rejects.toMatchObject({ code: 'INVALID_KEY' });

    await expect(store.head('a/b')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await store.delete('a/b');
    expect(await read(store, 'a')).toEqual(Buffer.from('bytes'));
  });

  it.each([{ ifAbsent: false }, { ifAbsent: true }])(
    'refuses a key that is a folder of objects (%j)',
    async (options) => {
      const { store } = await emptyStore();
      await store.put('a/b', bodyOf('bytes'));

      await expect(store.put('a', bodyOf('more'), options)).rejects.toMatchObject({ code: 'INVALID_KEY' });

      await expect(store.head('a')).rejects.toMatchObject({ code: 'NOT_FOUND' });
      await store.delete('a');
      expect(await keysOf(store)).toEqual(['a/b']);
    },
  );

  it('takes the place of an empty folder that a killed write left behind', async () => {
    const { store, root } = await emptyStore();
    await mkdir(join(root, 'a'));
    await mkdir(join(root, 'b'));

    await store.put('a', bodyOf('bytes'));
    await store.put('b', bodyOf('bytes'), { ifAbsent: true });

    expect(await keysOf(store)).toEqual(['a', 'b']);
  });

  it('refuses a name that the file system cannot take, saying so', async () => {
    const { store } = await emptyStore();

    // 255 bytes are allowed by the key rules and by ext4, a path of more than 4,095 is not
    const deep = new LocalStorage('deep', {
      root: join(await emptyFolder(), ...Array<string>(16).fill('d'.repeat(250))),
    });

    await expect(store.put('n'.repeat(255), bodyOf('fits'))).resolves.toMatchObject({ size: 4 });
    await expect(deep.put(`${'n'.repeat(200)}/n`, bodyOf('does not fit'))).rejects.toMatchObject({
      code: 'INVALID_KEY',
    });
  });
});

describe('open', () => {
  it('goes on with the version it opened while the object is overwritten and deleted', async () => {
    const { store } = await emptyStore();
    const bytes = Buffer.alloc(3_000_000, 'old');
    await store.put('a', bodyOf(bytes));

    const opened = await store.open('a');
    await store.put('a', bodyOf('new'));
    await store.delete('a');

    expect((await buffer(opened.body)).equals(bytes)).toBe(true);
  });

  it('errors instead of ending short when somebody cuts the file', async () => {
    const { store, root } = await emptyStore();
    await store.put('a', bodyOf(Buffer.alloc(3_000_000)));

    const opened = await store.open('a');
    await truncate(join(root, 'a'), 1_000_000);

    await expect(buffer(opened.body)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });

  it('closes the file when the body is read, destroyed or aborted, and when it is refused', async () => {
    const { store } = await emptyStore();
    await store.put('a', bodyOf(Buffer.alloc(1_000_000)));
    await store.put('films/1', bodyOf('bytes'));
    const before = await openFiles();

    for (let n = 0; n < 25; n += 1) {
      await buffer((await store.open('a')).body);
      (await store.open('a')).body.destroy();
      const abort = new AbortController();
      const { body } = await store.open('a', { signal: abort.signal });
      abort.abort();
      await expect(buffer(body)).rejects.toMatchObject({ code: 'ABORTED' });
      await expect(store.head('films')).rejects.toMatchObject({ code: 'NOT_FOUND' });
      await expect(store.open('a', { ifMatch: 'another' })).rejects.toMatchObject({ code: 'PRECONDITION_FAILED' });
      await expect(store.open('a', { range: { start: 1_000_000 } })).rejects.toMatchObject({
        code: 'RANGE_NOT_SATISFIABLE',
      });
    }

    await sleep(20);
    expect(await openFiles()).toBeLessThanOrEqual(before);
  });

  it('does not mistake a missing root, perhaps an unmounted disk, for missing objects', async () => {
    const { store, root } = await emptyStore();
    await store.put('a', bodyOf('bytes'));
    await rm(root, { recursive: true });

    for (const call of [
      () => store.head('a'),
      () => store.open('a'),
      () => store.delete('a'),
      () => keysOf(store),
      () => store.put('b', bodyOf('not to the disk below')),
    ]) {
      await expect(call()).rejects.toMatchObject({ code: 'UNAVAILABLE', storage: 'disk', retry: 'safe' });
    }
    await expect(stat(root)).rejects.toThrow('ENOENT');
  });
});

describe('delete', () => {
  it('removes the object, its description and the folders that became empty, never the root', async () => {
    const { store, root } = await emptyStore();
    await store.put('films/f1/1.mp4', bodyOf('one'));
    await store.put('films/2.mp4', bodyOf('two'));

    await store.delete('films/f1/1.mp4');
    expect(await readdir(join(root, 'films'))).toEqual(['2.mp4']);
    await store.delete('films/2.mp4');

    expect(await readdir(root)).toEqual(['.paradoxon']);
    expect(await filesIn(root)).toEqual([]);
  });

  it('leaves a newer version alone', async () => {
    const { store } = await emptyStore();
    const old = await store.put('a', bodyOf('old'));
    await store.put('a', bodyOf('new'), { contentType: 'video/mp4' });

    await expect(store.delete('a', { ifMatch: old.etag ?? '' })).rejects.toMatchObject({ code: 'PRECONDITION_FAILED' });

    expect(await read(store, 'a')).toEqual(Buffer.from('new'));
    expect(await store.head('a')).toMatchObject({ contentType: 'video/mp4' });
  });

  it('lets writers and deleters of neighbours make and prune their common folder at the same time', async () => {
    const { store, root } = await emptyStore();

    await Promise.all(
      Array.from({ length: 4 }, async (_, writer) => {
        for (let n = 0; n < 25; n += 1) {
          await store.put(`deep/er/folder/${writer}`, bodyOf('bytes'));
          await store.delete(`deep/er/folder/${writer}`);
        }
      }),
    );

    expect(await readdir(root)).toEqual(['.paradoxon']);
    expect(await filesIn(root)).toEqual([]);
  });
});

describe('list', () => {
  it('finds the keys that begin with any prefix, and neither the own files nor what no key can name', async () => {
    const { store, root } = await emptyStore();
    for (const key of ['films/1.mp4', 'films/10.mp4', 'films/2/a.mp4', 'filmsets/x', 'other']) {
      await store.put(key, bodyOf('bytes'));
    }
    await writeFile(join(root, 'ends with a dot.'), '');
    await writeFile(join(root, 'back\\slash'), '');

    expect(await keysOf(store, '')).toHaveLength(5);
    expect(await keysOf(store, 'films')).toEqual(['films/1.mp4', 'films/10.mp4', 'films/2/a.mp4', 'filmsets/x']);
    expect(await keysOf(store, 'films/')).toEqual(['films/1.mp4', 'films/10.mp4', 'films/2/a.mp4']);
    expect(await keysOf(store, 'films/1')).toEqual(['films/1.mp4', 'films/10.mp4']);
    for (const nothing of ['none/', '../', '/', 'films//', '.paradoxon/', 'other/']) {
      expect(await keysOf(store, nothing)).toEqual([]);
    }
  });

  it('describes what it lists as head does', async () => {
    const { store } = await emptyStore();
    const stored = await store.put('films/1.mp4', bodyOf('bytes'), {
      contentType: 'video/mp4',
      metadata: { scene: '1' },
    });

    const listed = [];
    for await (const info of store.list('')) listed.push(info);

    expect(listed).toEqual([stored]);
  });

  it('goes on while objects that it has not reached are deleted', async () => {
    const { store } = await emptyStore();
    const all = Array.from({ length: 20 }, (_, n) => [`${n}`, `folder ${n}/x`]).flat();
    for (const key of all) await store.put(key, bodyOf('bytes'));

    const keys: string[] = [];
    for await (const { key } of store.list('')) {
      keys.push(key);
      for (const other of all) if (other !== key) await store.delete(other);
    }

    expect(keys).toHaveLength(1);
  });
});

describe('sweepIncomplete', () => {
  it('removes unfinished files and descriptions of nothing that are older than asked, and nothing else', async () => {
    const { store, root } = await emptyStore();
    const stored = await store.put('a', bodyOf('bytes'), { contentType: 'video/mp4' });
    const [sidecar = ''] = (await filesIn(root)).filter((file) => file.includes('/meta/'));
    await writeFile(join(root, '.paradoxon/tmp/abandoned'), 'half');
    await copyFile(join(root, sidecar), join(root, sidecar.replace(/\.[^.]+\.json$/, '.0-0.json')));
    await utimes(join(root, sidecar), 0, 0);

    expect(await store.sweepIncomplete(new Date(Date.now() - 60_000))).toEqual({ removed: 0 });
    expect(await ownFiles(root)).toEqual({ temps: 1, sidecars: 2 });
    expect(await store.sweepIncomplete(new Date(Date.now() + 1000))).toEqual({ removed: 1 });

    expect(await ownFiles(root)).toEqual({ temps: 0, sidecars: 1 });
    expect(await store.head('a')).toEqual(stored);
  });

  it('finds nothing to do where nothing was ever written', async () => {
    const { store } = await emptyStore();

    expect(await store.sweepIncomplete(new Date())).toEqual({ removed: 0 });
  });

  it('lets a write whose file it takes away fail as one that can be repeated', async () => {
    const { store, root } = await emptyStore();
    async function* interrupted() {
      yield Buffer.from('half');
      await store.sweepIncomplete(new Date(Date.now() + 1000));
    }

    await expect(store.put('films/f1/a', { chunks: interrupted() })).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      retry: 'safe',
    });

    expect(await filesIn(root)).toEqual([]);
    expect(await readdir(root)).toEqual(['.paradoxon']);
    await store.put('films/f1/a', { chunks: chunksOf([Buffer.from('whole')]) });
    expect(await keysOf(store)).toEqual(['films/f1/a']);
  });
});

describe('the reserved folder', () => {
  it.each(['.paradoxon', '.paradoxon/tmp/x', '.Paradoxon/meta/x'])('is out of reach for the key %s', async (key) => {
    const { store } = await emptyStore();

    for (const call of [
      () => store.put(key, bodyOf('x')),
      () => store.open(key),
      () => store.head(key),
      () => store.delete(key),
    ]) {
      await expect(call()).rejects.toMatchObject({ code: 'INVALID_KEY', storage: 'disk', key });
    }
    expect(() => store.locate(key)).toThrow('.paradoxon');
  });

  it('does not take names away that only begin like it', async () => {
    const { store } = await emptyStore();

    await store.put('.paradoxon-notes', bodyOf('x'));
    await store.put('films/.paradoxon/x', bodyOf('x'));

    expect(await keysOf(store)).toEqual(['.paradoxon-notes', 'films/.paradoxon/x']);
  });
});

it('locates an object by a file URL', async () => {
  const { store, root } = await emptyStore();

  expect(store.locate('films/a b#1.mp4')).toBe(`file://${root}/films/a%20b%231.mp4`);
});

async function openFiles(): Promise<number> {
  return (await readdir('/proc/self/fd')).length;
}

describe('a root that is no folder', () => {
  it.each(['file', 'file/films', 'file/films/new'])(
    'is said to be the mistake, not a missing object: %s',
    async (name) => {
      const folder = await emptyFolder();
      await writeFile(join(folder, 'file'), 'not ours');
      const root = join(folder, name);
      const store = new LocalStorage('disk', { root });

      const calls = [
        store.put('a', bodyOf('bytes')),
        store.open('a'),
        store.head('a'),
        store.delete('a'),
        keysOf(store),
      ];

      for (const call of await Promise.allSettled(calls)) {
        expect(call).toMatchObject({
          status: 'rejected',
          reason: { code: 'INVALID_CONFIG', storage: 'disk', message: expect.stringContaining('Set the option root') },
        });
      }
      expect((await store.check('reach')).steps.at(-1)).toMatchObject({
        ok: false,
        detail: expect.stringContaining(`${root} is not a folder`),
      });
      expect(await readFile(join(folder, 'file'), 'utf8')).toBe('not ours');
    },
  );

  it('does not hide an object whose description cannot be read', async () => {
    const root = await emptyFolder();
    await writeFile(join(root, 'a'), 'bytes');
    await writeFile(join(root, '.paradoxon'), 'in the way');

    expect((await read(new LocalStorage('disk', { root }), 'a')).toString()).toBe('bytes');
  });
});
