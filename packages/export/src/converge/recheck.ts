import { StorageError } from '@paradoxon/storage';
import type { StorageRegistry } from '@paradoxon/storage/nest';
import type { Catalogue } from '../catalogue/catalogue.ts';
import type { CopyRecord, SceneRecord } from '../catalogue/film-record.ts';
import { verifiedCopies } from '../films/scene-state.ts';
import type { ExportEvents } from '../jobs/export-events.ts';

/**
 * Asks each store whether it still holds what the catalogue says, and records what is not so. A store that cannot be
 * asked changes nothing: "unreachable" is not "absent".
 *
 * @returns whether a copy was found missing or altered
 */
export async function recheck(
  scene: SceneRecord & { filmId: string },
  registry: StorageRegistry,
  catalogue: Catalogue,
  events: ExportEvents,
  signal?: AbortSignal,
): Promise<boolean> {
  const copies = verifiedCopies(scene).filter((copy) => registry.has(copy.storageId));
  const found = await Promise.all(
    copies.map(async (copy) => {
      const state = await stateOf(copy, registry, signal);
      if (state === 'verified' || state === 'unknown') return false;
      const { filmId, sceneNumber } = scene;
      await catalogue.recordCopy(scene.id, scene.revision, copy.storageId, { state });
      events.emit('copy.lost', { filmId, sceneNumber, storage: copy.storageId, state });
      return true;
    }),
  );
  return found.includes(true);
}

async function stateOf(
  copy: CopyRecord,
  registry: StorageRegistry,
  signal?: AbortSignal,
): Promise<'verified' | 'missing' | 'corrupt' | 'unknown'> {
  if (copy.key === undefined) return 'missing';
  try {
    const info = await registry.get(copy.storageId).head(copy.key, signal ? { signal } : {});
    const { sha256 } = info.checksums;
    const same = info.size === copy.size && (sha256 === undefined || sha256 === copy.sha256);
    return same ? 'verified' : 'corrupt';
  } catch (error) {
    return StorageError.from(error).code === 'NOT_FOUND' ? 'missing' : 'unknown';
  }
}
