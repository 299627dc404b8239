import { randomUUID } from 'node:crypto';
import { link, lstat, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { StorageError } from '@paradoxon/storage';
import { errnoOf, unless } from './local-errors.ts';
import { versionOf } from './object-file.ts';
import { type ObjectFolder, syncFolder } from './object-folder.ts';
import type { Sidecars } from './sidecar.ts';

/**
 * Deletes an object, or resolves when there is none. The file is first moved out of sight and looked at there: only so
 * is it certain which version is deleted when another process overwrites the key at the same time.
 *
 * @throws StorageError `PRECONDITION_FAILED`; the other version is, or is put back, in place
 */
export async function deleteObject(
  folder: ObjectFolder,
  sidecars: Sidecars,
  key: string,
  ifMatch: string | undefined,
): Promise<void> {
  const path = await unless(['ENOENT', 'ENOTDIR'], folder.pathOf(key));
  const found = path === undefined ? undefined : await unless(['ENOENT', 'ENOTDIR'], lstat(path, { bigint: true }));
  if (path === undefined || !found || found.isDirectory()) return;
  if (found.isSymbolicLink()) throw new StorageError('INVALID_KEY', `${path} is a symbolic link.`, { scope: 'local' });
  if (ifMatch !== undefined && versionOf(found) !== ifMatch) throw anotherVersion(key);

  const aside = await moveAside(folder, path);
  if (aside === undefined) return;
  const version = versionOf(await lstat(aside, { bigint: true }));
  if (ifMatch !== undefined && version !== ifMatch) {
    // EEXIST: a yet newer version has come meanwhile, and that one stays
    await unless(
      ['EEXIST'],
      folder.makePathOf(key).then((place) => link(aside, place)),
    );
    await rm(aside);
    throw anotherVersion(key);
  }
  await rm(aside);
  await sidecars.remove(key, version);
  await unless(['ENOENT'], syncFolder(dirname(path)));
  await folder.prune(key);
}

/** @returns where the file is now, `undefined` when it was gone before */
async function moveAside(folder: ObjectFolder, path: string): Promise<string | undefined> {
  await folder.prepare();
  const aside = join(folder.temps, randomUUID());
  // a rename onto a file refuses a folder (ENOTDIR), so one that has just taken the object's place is not moved away
  await writeFile(aside, '', { flag: 'wx' });
  try {
    await rename(path, aside);
    return aside;
  } catch (error) {
    await rm(aside);
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return undefined;
    throw error;
  }
}

function anotherVersion(key: string): StorageError {
  return new StorageError('PRECONDITION_FAILED', `${key} is not the version that was to be deleted.`);
}
