import { dirname } from 'node:path';
import { lstat } from 'node:fs/promises';
import { type ByteSource, type PutOptions, StorageError, type StoredObject } from '@paradoxon/storage';
import { assertNotAborted } from '@paradoxon/storage/plugin';
import type { BodyReader } from '@paradoxon/storage/plugin';
import { errnoOf, type LocalCall, toStorageError, unless } from './local-errors.ts';
import { infoOf, versionAt, versionOf } from './object-file.ts';
import { type ObjectFolder, removeIfEmpty, syncFolder } from './object-folder.ts';
import type { Sidecar, Sidecars } from './sidecar.ts';
import { folderInTheWay, TempFile } from './temp-file.ts';

/**
 * Writes an object: bytes to an unfinished file, its description beside it, then one rename (or link) that makes both
 * visible at once. The rename is the only step that readers and other writers, in this process or another, can see.
 *
 * @param body its `chunks` are read through `reader`
 * @throws what the source threw, as it is; else StorageError, with `committed: 'unknown'` once the object is visible
 */
export async function writeObject(
  folder: ObjectFolder,
  sidecars: Sidecars,
  call: LocalCall & { readonly key: string },
  body: ByteSource,
  reader: BodyReader,
  options: PutOptions,
): Promise<StoredObject> {
  const { key } = call;
  const { ifAbsent = false, signal } = options;
  assertNotAborted(signal);
  await refuseBeforeReading(folder, key, ifAbsent);
  const temp = await TempFile.create(folder);
  let described: string | undefined;
  let path: string;
  let stored: StoredObject;
  try {
    await temp.fill(reader.chunks());
    let stats = await temp.seal();
    const sha256 = await temp.sha256(signal);
    assertSame(sha256, body.checksums?.().sha256);
    const sidecar = sidecarOf(key, sha256, temp.name, options);
    while (!(await isNew(sidecars.write(versionOf(stats), sidecar)))) stats = await temp.seal();
    described = versionOf(stats);
    assertNotAborted(signal);
    path = await temp.moveTo(key, ifAbsent);
    stored = infoOf(key, stats, sidecar);
  } catch (error) {
    await tidy(temp.discard());
    if (described !== undefined) await tidy(sidecars.remove(key, described));
    await tidy(folder.prune(key));
    throw error;
  }
  try {
    await syncFolder(dirname(path));
  } catch (error) {
    throw toStorageError(error, { ...call, committed: 'unknown' });
  }
  await tidy(temp.discard());
  await tidy(sidecars.removeOverwritten(key, () => versionAt(path)));
  return stored;
}

/** What is wrong already now need not be found out after the last byte. */
async function refuseBeforeReading(folder: ObjectFolder, key: string, ifAbsent: boolean): Promise<void> {
  await folder.prepare();
  const path = await unless(['ENOENT'], folder.pathOf(key));
  const found = path === undefined ? undefined : await unless(['ENOENT'], lstat(path));
  if (path === undefined || !found) return;
  if (found.isDirectory() && !(await removeIfEmpty(path))) throw folderInTheWay(path);
  if (found.isSymbolicLink()) throw new StorageError('INVALID_KEY', `${path} is a symbolic link.`, { scope: 'local' });
  if (ifAbsent && found.isFile()) throw new StorageError('ALREADY_EXISTS', `${path} already exists.`);
}

function sidecarOf(key: string, sha256: string, temp: string, options: PutOptions): Sidecar {
  return {
    key,
    contentType: options.contentType ?? 'application/octet-stream',
    ...(options.cacheControl === undefined ? {} : { cacheControl: options.cacheControl }),
    metadata: { ...options.metadata },
    sha256,
    temp,
  };
}

function assertSame(stored: string, given: string | undefined): void {
  if (given === undefined || given === stored) return;
  throw new StorageError(
    'CHECKSUM_MISMATCH',
    `The file that was written has SHA-256 ${stored}, the body had ${given}: disk or memory changed bytes.`,
  );
}

/** Whether this version of the key was free; two writes of one size in one moment may draw the same digits. */
async function isNew(writing: Promise<void>): Promise<boolean> {
  try {
    await writing;
    return true;
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') return false;
    throw error;
  }
}

/** Removes what nobody can see. What cannot be removed waits for `sweepIncomplete`; the write's own outcome stands. */
async function tidy(work: Promise<void>): Promise<void> {
  await work.catch(() => undefined);
}
