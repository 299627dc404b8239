import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { linkKey } from '../src/link-key.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'link-key-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

it('makes one key, keeps it, and agrees on it when asked many times at once', async () => {
  const keys = await Promise.all(Array.from({ length: 20 }, () => linkKey(join(folder, 'data'))));
  const later = await linkKey(join(folder, 'data'));

  expect(new Set([...keys, later]).size).toBe(1);
  expect(later).toMatch(/^[\w-]{43}$/);
  expect(await readdir(join(folder, 'data'))).toEqual(['link-key']);
  expect((await stat(join(folder, 'data/link-key'))).mode & 0o777).toBe(0o600);
});
