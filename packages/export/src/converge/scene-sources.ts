import type { StorageRegistry } from '@paradoxon/storage/nest';
import { fromObject, type TransferSource } from '@paradoxon/transfer';
import type { SceneRecord } from '../catalogue/film-record.ts';
import { isAlive, verifiedCopies } from '../films/scene-state.ts';

export interface SceneSource {
  readonly from: 'direct' | 'copy';
  readonly source: TransferSource;
}

/**
 * Where a scene's bytes can be read, the best first: the direct URL while it is alive, then a fresh URL by prediction id,
 * then every verified copy; last a direct URL that is past its deadline or was refused before: CDNs sometimes outlive it, and
 * a 404 is sometimes taken back.
 *
 * @param directId the plugin that reads direct URLs
 */
export function sceneSources(
  scene: SceneRecord,
  registry: StorageRegistry,
  directId: string,
  now: Date,
): SceneSource[] {
  const direct = [scene.videoUrl, scene.predictionId]
    .filter((key) => key !== undefined)
    .map((key): SceneSource => ({ from: 'direct', source: fromObject(registry.get(directId), key) }));
  const copies = verifiedCopies(scene).flatMap(({ storageId, key }): SceneSource[] =>
    key !== undefined && registry.has(storageId)
      ? [{ from: 'copy', source: fromObject(registry.get(storageId), key) }]
      : [],
  );
  return isAlive(scene, now) ? [...direct, ...copies] : [...copies, ...direct];
}
