import type { StorageRegistry } from '@paradoxon/storage/nest';
import { fromObject, type TransferSource } from '@paradoxon/transfer';
import type { SceneRecord } from '../catalogue/film-record.ts';
import { verifiedCopies } from '../films/scene-state.ts';

export interface SceneSource {
  readonly from: 'direct' | 'copy';
  readonly source: TransferSource;
}

/**
 * Where a scene's bytes can be read, the best first: a verified copy, so that the source is read once however often a store
 * has to be tried again (docs/adr/0009), then the direct URL, then a fresh one by prediction id. A direct URL past its deadline
 * or refused before is tried, too, when nothing else is left: CDNs sometimes outlive it, and a 404 is sometimes taken back.
 *
 * @param directId the plugin that reads direct URLs
 */
export function sceneSources(scene: SceneRecord, registry: StorageRegistry, directId: string): SceneSource[] {
  const direct = [scene.videoUrl, scene.predictionId]
    .filter((key) => key !== undefined)
    .map((key): SceneSource => ({ from: 'direct', source: fromObject(registry.get(directId), key) }));
  const copies = verifiedCopies(scene).flatMap(({ storageId, key }): SceneSource[] =>
    key !== undefined && registry.has(storageId)
      ? [{ from: 'copy', source: fromObject(registry.get(storageId), key) }]
      : [],
  );
  return [...copies, ...direct];
}
