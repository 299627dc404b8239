import { createHash } from 'node:crypto';
import { StorageError, type StoragePlugin } from '@paradoxon/storage';
import type { StorageRegistry } from '@paradoxon/storage/nest';
import type { Catalogue, CopyChange } from '../catalogue/catalogue.ts';
import type { CopyRecord, SceneRecord } from '../catalogue/film-record.ts';
import { verifiedCopies } from '../films/scene-state.ts';
import type { ExportEvents } from '../jobs/export-events.ts';

/**
 * Asks each store whether it still holds what the catalogue says, and records the answer. A store that cannot be asked
 * leaves its copy verified, with the error beside it: "unreachable" is not "absent".
 *
 * @returns whether a copy was found missing or altered
 */
export async function recheck(
  scene: SceneRecord,
  registry: StorageRegistry,
  catalogue: Catalogue,
  events: ExportEvents,
  signal?: AbortSignal,
): Promise<boolean> {
  const copies = verifiedCopies(scene).filter((copy) => registry.has(copy.storageId));
  const found = await Promise.all(
    copies.map(async (copy) => {
      const change = await look(copy, registry.get(copy.storageId), signal);
      if (signal?.aborted) return false;
      await catalogue.recordCopy(scene.id, scene.revision, copy.storageId, change);
      if (change.state !== 'missing' && change.state !== 'corrupt') return false;
      const { filmId, sceneNumber } = scene;
      events.emit('copy.lost', { filmId, sceneNumber, storage: copy.storageId, state: change.state });
      return true;
    }),
  );
  return found.includes(true);
}

async function look(copy: CopyRecord, store: StoragePlugin, signal?: AbortSignal): Promise<CopyChange> {
  const { key, size, sha256, etag, verifiedAt } = copy;
  if (key === undefined) return { state: 'missing' };
  try {
    const info = await store.head(key, signal ? { signal } : {});
    if (info.size !== size) return { state: 'corrupt' };
    // the version that was verified, or one whose hash the store knows, need not be read again
    const known = info.checksums.sha256 ?? (info.etag !== undefined && info.etag === etag ? sha256 : undefined);
    if ((known ?? (await sha256Of(store, key, signal))) !== sha256) return { state: 'corrupt' };
    return { state: 'verified', verifiedAt: new Date(), ...(info.etag === undefined ? {} : { etag: info.etag }) };
  } catch (error) {
    const { code, message } = StorageError.from(error);
    if (code === 'NOT_FOUND') return { state: 'missing' };
    return { state: 'verified', error: { code, message }, ...(verifiedAt ? { verifiedAt } : {}) };
  }
}

/** Somebody has written the object since: only its bytes can tell whether it is still the same. */
async function sha256Of(store: StoragePlugin, key: string, signal?: AbortSignal): Promise<string> {
  const hash = createHash('sha256');
  const { body } = await store.open(key, signal ? { signal } : {});
  for await (const chunk of body as AsyncIterable<Uint8Array>) hash.update(chunk);
  return hash.digest('hex');
}
