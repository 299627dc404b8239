import type { Dirent } from 'node:fs';
import { opendir } from 'node:fs/promises';
import { join } from 'node:path';
import { StorageError } from '@paradoxon/storage';
import { assertNotAborted } from '@paradoxon/storage/plugin';
import { unless } from './local-errors.ts';
import type { ObjectFolder } from './object-folder.ts';

/**
 * The keys of all objects that begin with `prefix`, in the order of the file system, one folder open per level. Links,
 * pipes and files whose names are no keys are passed over: no call could reach them.
 *
 * @throws StorageError `INVALID_KEY` when the prefix itself leads through a link
 */
export async function* objectKeys(folder: ObjectFolder, prefix: string, signal?: AbortSignal): AsyncGenerator<string> {
  // only the deepest folder that the prefix spells has to be looked at
  const top = prefix.slice(0, Math.max(prefix.lastIndexOf('/'), 0));
  if (prefix.startsWith('/') || (top !== '' && !isKey(folder, top))) return;
  const root = await folder.realFolder('.');
  if ((await unless(['ENOENT', 'ENOTDIR'], folder.realFolder(top))) === undefined) return;
  yield* walk(folder, root, top === '' ? '' : `${top}/`, prefix, signal);
}

async function* walk(
  folder: ObjectFolder,
  root: string,
  parent: string,
  prefix: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<string> {
  assertNotAborted(signal);
  // a folder may be pruned while it is walked
  const entries = await unless(['ENOENT', 'ENOTDIR'], opendir(join(root, parent)));
  if (!entries) return;
  for await (const entry of entries) {
    assertNotAborted(signal);
    const key = parent + entry.name;
    if (!mayBegin(key, entry, prefix) || !isKey(folder, key)) continue;
    if (entry.isDirectory()) yield* walk(folder, root, `${key}/`, prefix, signal);
    else if (entry.isFile()) yield key;
  }
}

function mayBegin(key: string, entry: Dirent, prefix: string): boolean {
  return key.startsWith(prefix) || (entry.isDirectory() && prefix.startsWith(`${key}/`));
}

function isKey(folder: ObjectFolder, key: string): boolean {
  try {
    folder.assertKey(key);
    return true;
  } catch (error) {
    if (StorageError.is(error)) return false;
    throw error;
  }
}
