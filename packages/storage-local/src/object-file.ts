import { type BigIntStats, constants } from 'node:fs';
import { type FileHandle, lstat, open } from 'node:fs/promises';
import type { ObjectInfo } from '@paradoxon/storage';
import { unless } from './local-errors.ts';
import type { Sidecar, Sidecars } from './sidecar.ts';

/** Neither follows a link nor waits at a pipe. */
const READ = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
/** Times that an object may be overwritten while it is being opened. */
const MAX_ATTEMPTS = 20;

export interface ObjectFile {
  /** The caller closes it. */
  readonly handle: FileHandle;
  readonly info: ObjectInfo;
}

/**
 * Opens an object's file together with the description of exactly that version.
 * @returns `undefined` when there is something else than a file; ENOENT when there is nothing, ELOOP for a symbolic link
 */
export async function openObjectFile(path: string, key: string, sidecars: Sidecars): Promise<ObjectFile | undefined> {
  for (let attempt = 1; ; attempt += 1) {
    const handle = await open(path, READ);
    let kept = false;
    try {
      const stats = await handle.stat({ bigint: true });
      if (!stats.isFile()) return undefined;
      const sidecar = await sidecars.read(key, versionOf(stats));
      // no description: either there never was one, or this version was overwritten before it could be read
      kept = sidecar !== undefined || attempt === MAX_ATTEMPTS || (await handle.stat()).nlink > 0;
      if (kept) return { handle, info: infoOf(key, stats, sidecar) };
    } finally {
      if (!kept) await handle.close();
    }
  }
}

/** The version of the object in place, `undefined` when there is none. */
export async function versionAt(path: string): Promise<string | undefined> {
  const stats = await unless(['ENOENT', 'ENOTDIR'], lstat(path, { bigint: true }));
  return stats?.isFile() ? versionOf(stats) : undefined;
}

/** Size and time of writing, the time to the finest step that the file system keeps. */
export function versionOf(stats: BigIntStats): string {
  return `${stats.size.toString(36)}-${stats.mtimeNs.toString(36)}`;
}

export function infoOf(key: string, stats: BigIntStats, sidecar: Sidecar | undefined): ObjectInfo {
  return {
    key,
    size: Number(stats.size),
    etag: versionOf(stats),
    lastModified: new Date(Number(stats.mtimeMs)),
    metadata: sidecar?.metadata ?? {},
    checksums: sidecar ? { sha256: sidecar.sha256 } : {},
    ...(sidecar ? { contentType: sidecar.contentType } : {}),
    ...(sidecar?.cacheControl === undefined ? {} : { cacheControl: sidecar.cacheControl }),
  };
}
