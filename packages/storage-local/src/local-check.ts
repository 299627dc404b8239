import { constants } from 'node:fs';
import { access, stat, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { CheckLevel, CheckReport, StoragePlugin } from '@paradoxon/storage';
import { CheckRun, checkWithCanary } from '@paradoxon/storage/plugin';
import { errnoOf } from './local-errors.ts';
import { notAFolder } from './object-folder.ts';

/** Below this a disk counts as full. */
const MIN_FREE_BYTES = 64 * 1024 ** 2;

/** Each level does what the levels before it do. @throws StorageError `ABORTED`, nothing else */
export async function checkFolder(
  store: StoragePlugin,
  root: string,
  level: CheckLevel,
  signal?: AbortSignal,
): Promise<CheckReport> {
  const run = new CheckRun(signal);
  await run.step(
    'options',
    () => `The folder is ${root}; links are ${store.capabilities.signedUrl ? 'signed' : 'off'}.`,
  );
  if (
    level !== 'config' &&
    (await run.step('folder', () => lookAtFolder(root))) &&
    (await run.step('free space', () => freeSpace(root))) &&
    level === 'write'
  ) {
    // whether the host serves its links already is not the folder's matter
    await checkWithCanary(store, run, { links: false });
  }
  return run.report();
}

async function lookAtFolder(root: string): Promise<string> {
  try {
    const folder = await existingParent(root);
    if (!(await stat(folder)).isDirectory()) throw notAFolder(root);
    await access(folder, constants.R_OK | constants.W_OK | constants.X_OK);
    if (folder === root) return `${root} can be read and written.`;
    return `${root} does not exist yet; the first write makes it.`;
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === undefined) throw error;
    if (errno === 'ENOTDIR') throw notAFolder(root);
    const todo =
      errno === 'EROFS'
        ? 'It is on a read-only file system: mount it for writing, or set the option root to another folder.'
        : 'Give this user the right to read and write it.';
    throw new Error(`${root} cannot be used (${errno}). ${todo}`, { cause: error });
  }
}

async function freeSpace(root: string): Promise<string> {
  const { bavail, blocks, bsize, files, ffree } = await statfs(await existingParent(root));
  const text = `${gibibytes(bavail * bsize)} of ${gibibytes(blocks * bsize)} free`;
  if (bavail * bsize < MIN_FREE_BYTES) throw new Error(`${text}. Free some space or move ${root} to a larger disk.`);
  // some file systems keep no count of files and say 0 of 0
  if (files > 0 && ffree === 0) throw new Error(`${text}, but it takes no more files (no inodes). Delete small files.`);
  return `${text}.`;
}

/** The folder itself or, as long as it is not made, the nearest one above it that exists. */
async function existingParent(folder: string): Promise<string> {
  try {
    await stat(folder);
    return folder;
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT' || dirname(folder) === folder) throw error;
    return existingParent(dirname(folder));
  }
}

const gibibytes = (bytes: number): string => `${(bytes / 1024 ** 3).toFixed(1)} GiB`;
