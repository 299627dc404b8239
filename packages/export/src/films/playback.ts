import type { FilmRecord, SceneRecord } from '../catalogue/film-record.ts';
import { ExportError } from '../export-error.ts';
import { isGone, isLive, verifiedCopies } from './scene-state.ts';

/** Where a scene plays from. */
export type Place =
  | { readonly via: 'direct'; readonly source: string }
  | { readonly via: 'copy'; readonly storage: string; readonly key: string };

/**
 * The best place to play a scene from. `cloud` never answers with the source: it plays a verified copy or says that there
 * is none yet. `direct` and `hybrid` prefer the direct URL while it is safely alive.
 *
 * @param order store ids, the preferred first
 * @throws ExportError `PLACEHOLDER`, `NOT_ARCHIVED`, `NOTHING_PLAYABLE`
 */
export function choosePlace(
  film: Pick<FilmRecord, 'id' | 'strategy'>,
  scene: SceneRecord,
  order: readonly string[],
  now: Date,
): Place {
  const name = `Scene ${scene.sceneNumber} of film ${film.id}`;
  if (scene.placeholder) throw new ExportError('PLACEHOLDER', `${name} is a placeholder: it has no video.`);
  const source = scene.videoUrl ?? scene.predictionId;
  if (film.strategy !== 'cloud' && source !== undefined && isLive(scene, now)) return { via: 'direct', source };
  const copies = verifiedCopies(scene);
  const copy = order.map((id) => copies.find((each) => each.storageId === id)).find((each) => each?.key !== undefined);
  if (copy?.key !== undefined) return { via: 'copy', storage: copy.storageId, key: copy.key };
  if (film.strategy === 'cloud' && !isGone(scene)) {
    throw new ExportError('NOT_ARCHIVED', `${name} has no verified copy yet. Ask again when its export is done.`);
  }
  throw new ExportError(
    'NOTHING_PLAYABLE',
    `${name} cannot be played: its direct URL is dead${scene.deadline ? ` since ${scene.deadline.toISOString()}` : ''} ` +
      'and no verified copy exists. Render it again and post the film with the new video_url.',
  );
}
