import { addAbortSignal } from 'node:stream';
import { type ObjectInfo, StorageError, type StoragePlugin, type StoredObject } from '@paradoxon/storage';
import { checksumDifference, commonAlgorithms, ContentHash } from './content-hash.ts';
import type { TransferContent } from './verdict.ts';

type Known = Pick<TransferContent, 'size' | 'checksums'>;

/** In words, what tells this object from what was read; `undefined` when nothing that the store knows does. */
export function difference(read: Known, found: Pick<ObjectInfo, 'size' | 'checksums'>): string | undefined {
  if (found.size !== read.size) return `it has ${found.size} bytes there and ${read.size} were read`;
  return checksumDifference(read.checksums, found.checksums);
}

export function isProvenByChecksum(read: Known, found: ObjectInfo): boolean {
  return commonAlgorithms(read.checksums, found.checksums).length > 0;
}

/**
 * Compares an object that this transfer did not see being stored. Its size alone proves nothing: where the store knows no
 * checksum, the object is read back.
 *
 * @param alive called with every chunk that is read back
 * @returns the object, and in words what differs, if anything
 * @throws whatever `head` and `open` throw
 */
export async function inspect(
  store: StoragePlugin,
  key: string,
  read: Known,
  signal: AbortSignal,
  alive: () => void,
): Promise<{ readonly found: ObjectInfo; readonly differs: string | undefined }> {
  const found = await store.head(key, { signal });
  const differs = difference(read, found);
  if (differs !== undefined || isProvenByChecksum(read, found)) return { found, differs };
  return { found, differs: difference(read, await readBack(store, found, signal, alive)) };
}

async function readBack(
  store: StoragePlugin,
  { key, etag }: ObjectInfo,
  signal: AbortSignal,
  alive: () => void,
): Promise<Known> {
  const byVersion = store.capabilities.ifMatch && etag !== undefined;
  const { body } = await store.open(key, { signal, ...(byVersion ? { ifMatch: etag } : {}) });
  const hash = new ContentHash();
  for await (const chunk of addAbortSignal(signal, body) as AsyncIterable<Uint8Array>) {
    hash.update(chunk);
    alive();
  }
  return { size: hash.size, checksums: hash.digest() };
}

/**
 * Deletes a copy that is wrong, and only the one that this transfer wrote: by its version where the store can, else only
 * when the write was create-only.
 *
 * @returns whether it is gone
 */
export async function removeOwn(
  store: StoragePlugin,
  stored: StoredObject,
  createdOnly: boolean,
  signal: AbortSignal,
): Promise<boolean> {
  const byVersion = store.capabilities.ifMatch && stored.etag !== undefined;
  if (!byVersion && !createdOnly) return false;
  try {
    await store.delete(stored.key, { signal, ...(byVersion ? { ifMatch: stored.etag } : {}) });
    return true;
  } catch (error) {
    // somebody has replaced it: ours is gone, and theirs is not ours to delete
    return StorageError.is(error) && error.code === 'PRECONDITION_FAILED';
  }
}
