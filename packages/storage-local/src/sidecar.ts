import { createHash } from 'node:crypto';
import { lstat, opendir, open, readdir, readFile, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { assertNotAborted } from '@paradoxon/storage/plugin';
import { unless } from './local-errors.ts';
import { makeFolders, syncFolder } from './object-folder.ts';

const sidecarSchema = z.object({
  key: z.string(),
  contentType: z.string(),
  cacheControl: z.string().optional(),
  metadata: z.record(z.string(), z.string()),
  sha256: z.string(),
  /** Name of the unfinished file this was written for: while that exists, the object is still on its way. */
  temp: z.string(),
});

/** What a plain file cannot say about an object. */
export type Sidecar = z.output<typeof sidecarSchema>;

/**
 * Descriptions, one small file per version of an object, written before the object is moved into place. A reader takes
 * the one of the version it has, so it never pairs the bytes of one write with the description of another.
 */
export class Sidecars {
  readonly #folder: string;
  readonly #temps: string;

  constructor(folder: string, temps: string) {
    this.#folder = folder;
    this.#temps = temps;
  }

  /** `undefined` for a file that was copied in by hand, or whose description is damaged: its bytes are still readable. */
  async read(key: string, version: string): Promise<Sidecar | undefined> {
    return readSidecar(this.#path(key, version));
  }

  /** Durable when it resolves. EEXIST when this version of the key is taken. */
  async write(version: string, sidecar: Sidecar): Promise<void> {
    const path = this.#path(sidecar.key, version);
    await makeFolders(dirname(path));
    const file = await open(path, 'wx');
    try {
      await file.writeFile(JSON.stringify(sidecar));
      await file.sync();
    } catch (error) {
      await rm(path, { force: true });
      throw error;
    } finally {
      await file.close();
    }
    await syncFolder(dirname(path));
  }

  async remove(key: string, version: string): Promise<void> {
    await rm(this.#path(key, version), { force: true });
  }

  /**
   * Removes the descriptions of versions that were overwritten. A version that is not in place is either that or still
   * on its way there; then its unfinished file exists. Nothing is removed while the object is absent, because a delete
   * may be about to put it back.
   *
   * @param currentVersion the version in place, asked for only after the unfinished files were looked at
   */
  async removeOverwritten(key: string, currentVersion: () => Promise<string | undefined>): Promise<void> {
    const shard = dirname(this.#path(key, ''));
    const prefix = `${hashOf(key)}.`;
    for (const name of await readdir(shard)) {
      if (!name.startsWith(prefix)) continue;
      const path = join(shard, name);
      const sidecar = await readSidecar(path);
      if (!sidecar || (await this.#onItsWay(sidecar))) continue;
      const current = await currentVersion();
      if (current !== undefined && path !== this.#path(key, current)) await rm(path, { force: true });
    }
  }

  /** Removes the descriptions written before `olderThan` of versions that are not in place. */
  async sweep(
    olderThan: Date,
    currentVersion: (key: string) => Promise<string | undefined>,
    signal?: AbortSignal,
  ): Promise<void> {
    const shards = await unless(['ENOENT'], opendir(this.#folder));
    if (!shards) return;
    for await (const shard of shards) {
      for await (const entry of await opendir(join(this.#folder, shard.name))) {
        assertNotAborted(signal);
        const path = join(this.#folder, shard.name, entry.name);
        const stats = await unless(['ENOENT'], lstat(path));
        if (!stats || stats.mtime >= olderThan) continue;
        const sidecar = await readSidecar(path);
        const current = sidecar && (await currentVersion(sidecar.key));
        const inPlace = sidecar && current !== undefined && path === this.#path(sidecar.key, current);
        if (!inPlace) await rm(path, { force: true });
      }
    }
  }

  async #onItsWay(sidecar: Sidecar): Promise<boolean> {
    return (await unless(['ENOENT'], lstat(join(this.#temps, sidecar.temp)))) !== undefined;
  }

  /** By hash, because a key may be longer than a file name; in 4,096 folders, because a folder is listed at every write. */
  #path(key: string, version: string): string {
    const hash = hashOf(key);
    return join(this.#folder, hash.slice(0, 3), `${hash}.${version}.json`);
  }
}

async function readSidecar(path: string): Promise<Sidecar | undefined> {
  // ENOTDIR: a file stands where the descriptions should be
  const text = await unless(['ENOENT', 'ENOTDIR'], readFile(path, 'utf8'));
  if (text === undefined) return undefined;
  try {
    return sidecarSchema.safeParse(JSON.parse(text)).data;
  } catch {
    // no JSON: damaged
    return undefined;
  }
}

const hashOf = (key: string): string => createHash('sha256').update(key).digest('hex');
