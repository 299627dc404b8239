import { createHash, randomUUID } from 'node:crypto';
import type { BigIntStats } from 'node:fs';
import { type FileHandle, link, lstat, open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { StorageError } from '@paradoxon/storage';
import { assertNotAborted } from '@paradoxon/storage/plugin';
import { errnoOf, unless } from './local-errors.ts';
import { type ObjectFolder, removeIfEmpty } from './object-folder.ts';

const READ_BYTES = 1024 ** 2;
/** Times that a delete may prune the object's folder between its making and the move into it. */
const MAX_ATTEMPTS = 100;

/** A file of a name of its own in the folder for unfinished files, on its way to become an object. */
export class TempFile {
  readonly name: string;
  readonly #folder: ObjectFolder;
  readonly #handle: FileHandle;

  private constructor(folder: ObjectFolder, name: string, handle: FileHandle) {
    this.#folder = folder;
    this.name = name;
    this.#handle = handle;
  }

  static async create(folder: ObjectFolder): Promise<TempFile> {
    await folder.prepare();
    const name = randomUUID();
    // no object is executable or writable by others; the folder keeps everybody else out until it is one
    return new TempFile(folder, name, await open(join(folder.temps, name), 'wx+', 0o644));
  }

  /** Writes one chunk after the other: the next is asked for when the last is with the operating system. */
  async fill(chunks: AsyncIterable<Uint8Array>): Promise<void> {
    await this.#handle.writeFile(chunks);
  }

  /**
   * Gives the content its version and makes it durable. File system clocks advance in steps of milliseconds (ext4: 1 to
   * 4), so the time of writing is set by hand, with random digits below: two writes of one size still differ.
   */
  async seal(): Promise<BigIntStats> {
    const seconds = (Date.now() + Math.random()) / 1000;
    await this.#handle.utimes(seconds, seconds);
    await this.#handle.sync();
    // as the file system recorded it, which may be coarser than what was asked for
    return this.#handle.stat({ bigint: true });
  }

  /** SHA-256 of what a reader will get: read back, not taken from the memory that the bytes came in. */
  async sha256(signal?: AbortSignal): Promise<string> {
    const hash = createHash('sha256');
    const buffer = Buffer.allocUnsafe(READ_BYTES);
    for (let position = 0; ;) {
      assertNotAborted(signal);
      const { bytesRead } = await this.#handle.read(buffer, 0, READ_BYTES, position);
      if (bytesRead === 0) return hash.digest('hex');
      hash.update(buffer.subarray(0, bytesRead));
      position += bytesRead;
    }
  }

  /**
   * Makes the file the object of this key, in one step that every reader sees whole.
   * @param ifAbsent create only: EEXIST when there is an object
   * @returns the object's path
   */
  async moveTo(key: string, ifAbsent: boolean): Promise<string> {
    await this.#handle.close();
    const temp = join(this.#folder.temps, this.name);
    for (let attempt = 1; ; attempt += 1) {
      try {
        const path = await this.#folder.makePathOf(key);
        await this.#place(temp, path, ifAbsent);
        return path;
      } catch (error) {
        if (errnoOf(error) !== 'ENOENT') throw error;
        if ((await unless(['ENOENT'], lstat(temp))) === undefined || attempt === MAX_ATTEMPTS)
          throw lostRace(key, error);
      }
    }
  }

  /** Removes the file, or what `moveTo` may have left of it. */
  async discard(): Promise<void> {
    await this.#handle.close();
    await rm(join(this.#folder.temps, this.name), { force: true });
  }

  async #place(temp: string, path: string, ifAbsent: boolean): Promise<void> {
    const place = ifAbsent ? link : rename;
    try {
      await place(temp, path);
    } catch (error) {
      // a link says EEXIST, a rename EISDIR; an empty folder is what a delete or a killed write left behind
      if (!(await unless(['ENOENT'], lstat(path)))?.isDirectory()) throw error;
      if (!(await removeIfEmpty(path))) throw folderInTheWay(path);
      await place(temp, path);
    }
  }
}

export function folderInTheWay(path: string): StorageError {
  return new StorageError('INVALID_KEY', `${path} is a folder with objects in it: it cannot be an object as well.`, {
    scope: 'local',
  });
}

function lostRace(key: string, cause: unknown): StorageError {
  return new StorageError(
    'UNAVAILABLE',
    `The unfinished file of ${key}, or the folder it was meant for, was removed meanwhile. Is an unfinished upload swept too early?`,
    { cause },
  );
}
