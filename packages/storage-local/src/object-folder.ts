import { lstat, mkdir, open, realpath, rmdir, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { assertObjectKey, StorageError } from '@paradoxon/storage';
import { errnoOf, unless } from './local-errors.ts';

/** Folder below the root that no key reaches: unfinished files and descriptions. */
const RESERVED = '.paradoxon';
/** Also in other cases: some file systems take them for the same folder. */
const RESERVED_KEY = /^\.paradoxon(\/|$)/i;

/**
 * Turns keys into paths that cannot leave the root: no `..` (the key rules), no symbolic link on the way (the real path
 * of the object's folder has to be what the key spells; that also refuses two spellings of one folder).
 */
export class ObjectFolder {
  /** Absolute; may itself be, or lie behind, a symbolic link. */
  readonly root: string;
  /** Files that are being written, or removed. */
  readonly temps: string;
  /** Descriptions of the objects. */
  readonly sidecars: string;
  #rootSeen = false;

  constructor(root: string) {
    this.root = resolve(root);
    this.temps = join(this.root, RESERVED, 'tmp');
    this.sidecars = join(this.root, RESERVED, 'meta');
  }

  /** @throws StorageError `INVALID_KEY`, also for what lies in the reserved folder */
  assertKey(key: string): void {
    assertObjectKey(key);
    if (RESERVED_KEY.test(key)) {
      throw new StorageError(
        'INVALID_KEY',
        `Object key ${JSON.stringify(key)} is in the store's own folder ${RESERVED}.`,
        {
          scope: 'local',
        },
      );
    }
  }

  /**
   * Makes what is missing for a write: the root, once in the life of this process (a root that is gone later may be a
   * disk that is not mounted), and the folder for unfinished files, for the owner's eyes only.
   */
  async prepare(): Promise<void> {
    if (this.#rootSeen) await this.#realRoot();
    else await makeFolders(this.root);
    this.#rootSeen = true;
    await makeFolders(this.temps, 0o700);
  }

  /**
   * The object's path, whether it exists or not.
   * @throws StorageError `INVALID_KEY` when a symbolic link is on the way, `UNAVAILABLE` without a root,
   *   `INVALID_CONFIG` when the root is no folder; ENOENT, ENOTDIR
   */
  async pathOf(key: string): Promise<string> {
    this.assertKey(key);
    return join(await this.realFolder(dirname(key)), key.slice(key.lastIndexOf('/') + 1));
  }

  /** Like `pathOf`, and makes the folders on the way, durably. ENOENT when a delete prunes them at the same time. */
  async makePathOf(key: string): Promise<string> {
    await this.#makeFolder(dirname(key));
    return this.pathOf(key);
  }

  /** Removes the folders above an object that is not there, as far as they are empty; never the root. */
  async prune(key: string): Promise<void> {
    for (let folder = dirname(key); folder !== '.'; folder = dirname(folder)) {
      const path = await unless(['ENOENT', 'ENOTDIR'], this.realFolder(folder));
      if (path !== undefined && !(await removeIfEmpty(path))) return;
    }
  }

  /**
   * The path of a folder that exists.
   * @param folder relative to the root, '.' for the root itself
   * @throws StorageError `INVALID_KEY`, `UNAVAILABLE`, `INVALID_CONFIG` as `pathOf` does; ENOENT, ENOTDIR
   */
  async realFolder(folder: string): Promise<string> {
    const root = await this.#realRoot();
    const spelled = join(root, folder);
    let real: string;
    try {
      real = await realpath(spelled);
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT' || !(await isLink(spelled))) throw error;
      real = '';
    }
    if (real === spelled) return spelled;
    throw new StorageError(
      'INVALID_KEY',
      `${spelled} is, or lies behind, a symbolic link or another spelling of its name: no object is kept there.`,
      { scope: 'local' },
    );
  }

  async #makeFolder(folder: string): Promise<void> {
    if ((await unless(['ENOENT'], this.realFolder(folder))) !== undefined) return;
    await this.#makeFolder(dirname(folder));
    const path = join(this.root, folder);
    await unless(['EEXIST'], mkdir(path));
    await syncFolder(dirname(path));
  }

  /** A missing root must not look like missing objects: its disk may not be mounted. */
  async #realRoot(): Promise<string> {
    if (await isFolder(this.root)) return realpath(this.root);
    throw new StorageError(
      'UNAVAILABLE',
      `The folder ${this.root} does not exist. Is its disk mounted? (The first write makes it.)`,
    );
  }
}

/**
 * Makes a folder and what is missing above it, durably. One by one: Node's recursive mkdir reports a read-only file
 * system as ENOENT, and never ends where the system refuses with ENOENT itself, as in /proc (measured with 24.21).
 *
 * @param mode of the last one
 * @throws StorageError `INVALID_CONFIG` when there is a file in the way
 */
export async function makeFolders(path: string, mode = 0o777): Promise<void> {
  if (await isFolder(path)) return;
  // a drive that does not exist is above itself
  if (dirname(path) !== path) await makeFolders(dirname(path));
  // another writer may have been first
  await unless(['EEXIST'], mkdir(path, { mode }));
  await syncFolder(dirname(path));
}

/** Makes what was renamed, made or removed in a folder survive a power failure. */
export async function syncFolder(path: string): Promise<void> {
  // Windows cannot open a folder to sync it
  if (process.platform === 'win32') return;
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** Only if empty: `rmdir` itself refuses otherwise, so this races safely with a writer. */
export async function removeIfEmpty(folder: string): Promise<boolean> {
  try {
    await rmdir(folder);
    return true;
  } catch {
    // not empty, gone, or not ours to remove: an empty folder that stays harms nobody
    return false;
  }
}

/** @throws StorageError `INVALID_CONFIG` when a file is there, or above it */
async function isFolder(path: string): Promise<boolean> {
  try {
    const found = await unless(['ENOENT'], stat(path));
    if (!found || found.isDirectory()) return found !== undefined;
  } catch (error) {
    if (errnoOf(error) !== 'ENOTDIR') throw error;
  }
  throw notAFolder(path);
}

/** Not `NOT_FOUND`, which would say that the store was asked and has no such object. */
export function notAFolder(path: string): StorageError {
  return new StorageError(
    'INVALID_CONFIG',
    `${path} is not a folder: it is, or lies below, a file. Set the option root to a folder of its own.`,
    { scope: 'local' },
  );
}

async function isLink(path: string): Promise<boolean> {
  return (await unless(['ENOENT', 'ENOTDIR'], lstat(path)))?.isSymbolicLink() ?? false;
}
