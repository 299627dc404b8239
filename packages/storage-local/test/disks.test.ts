import { execFileSync } from 'node:child_process';
import { describe, expect, it } from '@jest/globals';
import { LocalStorage } from '../src/index.ts';
import { bodyOf, chunksOf, emptyFolder, filesIn, keysOf, read } from './folder.ts';

/** Why no disk of 1 MiB can be had here, if so. */
const missing = await whatIsMissing();
if (missing !== undefined) console.warn(`SKIPPED: tests of a full and of a read-only disk. Missing: ${missing}.`);

async function whatIsMissing(): Promise<string | undefined> {
  try {
    await onSmallDisk(() => Promise.resolve());
    return undefined;
  } catch (error) {
    return `the right to mount a tmpfs (${String(error).split('\n')[0]})`;
  }
}

async function onSmallDisk(work: (root: string) => Promise<void>): Promise<void> {
  const root = await emptyFolder();
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', root], { stdio: 'pipe' });
  try {
    await work(root);
  } finally {
    execFileSync('umount', ['--lazy', root], { stdio: 'pipe' });
  }
}

(missing === undefined ? describe : describe.skip)('a full disk', () => {
  it('is named by the error, nothing is left, and smaller objects still fit', () =>
    onSmallDisk(async (root) => {
      const store = new LocalStorage('disk', { root });
      function* large() {
        for (let n = 0; n < 32; n += 1) yield Buffer.alloc(64 * 1024);
      }

      await expect(store.put('films/large', { chunks: chunksOf(large()) })).rejects.toMatchObject({
        code: 'QUOTA_EXCEEDED',
        retry: 'never',
        committed: 'no',
        storage: 'disk',
      });
      await expect(store.put('films/large', { chunks: chunksOf(large()) })).rejects.toThrow(root);

      expect(await filesIn(root)).toEqual([]);
      await store.put('films/small', bodyOf(Buffer.alloc(200_000, 'x')));
      expect(await keysOf(store)).toEqual(['films/small']);
    }));

  it('leaves the object that was to be overwritten as it is', () =>
    onSmallDisk(async (root) => {
      const store = new LocalStorage('disk', { root });
      const stored = await store.put('a', bodyOf(Buffer.alloc(600_000, 'x')), { contentType: 'video/mp4' });

      await expect(store.put('a', bodyOf(Buffer.alloc(700_000)))).rejects.toMatchObject({ code: 'QUOTA_EXCEEDED' });

      expect(await store.head('a')).toEqual(stored);
      expect((await read(store, 'a')).equals(Buffer.alloc(600_000, 'x'))).toBe(true);
    }));

  it('is found by the check, with what to do', () =>
    onSmallDisk(async (root) => {
      const report = await new LocalStorage('disk', { root }).check('reach');

      expect(report.ok).toBe(false);
      expect(report.steps.at(-1)).toMatchObject({ name: 'free space', ok: false });
      expect(report.steps.at(-1)?.detail).toContain('Free some space');
    }));
});

(missing === undefined ? describe : describe.skip)('a read-only disk', () => {
  it('can be read, and says why it takes nothing', () =>
    onSmallDisk(async (root) => {
      const store = new LocalStorage('disk', { root });
      const stored = await store.put('a', bodyOf('bytes'));
      execFileSync('mount', ['-o', 'remount,ro', root], { stdio: 'pipe' });

      for (const call of [() => store.put('a', bodyOf('more')), () => store.delete('a')]) {
        await expect(call()).rejects.toMatchObject({ code: 'PERMISSION_DENIED', retry: 'never' });
        await expect(call()).rejects.toThrow('read-only file system');
      }

      expect(await store.head('a')).toEqual(stored);
      expect((await store.check('reach')).steps[1]).toMatchObject({ name: 'folder', ok: false });
    }));

  it('is named where the root would have to be made on it', () =>
    onSmallDisk(async (disk) => {
      execFileSync('mount', ['-o', 'remount,ro', disk], { stdio: 'pipe' });

      for (const root of [disk, `${disk}/films`, `${disk}/films/new`]) {
        const store = new LocalStorage('disk', { root });
        await expect(store.put('a', bodyOf('bytes'))).rejects.toMatchObject({
          code: 'PERMISSION_DENIED',
          message: expect.stringContaining('read-only file system'),
        });
        expect((await store.check('reach')).steps[1]?.detail).toContain('read-only file system');
      }
    }));
});
