import type { CopyRecord, FilmRecord, SceneRecord } from '../catalogue/film-record.ts';
import { ExportError } from '../export-error.ts';
import { isAlive, isSafelyAlive } from './scene-state.ts';

/** Where a scene plays from. */
export type Place =
  | { readonly via: 'direct'; readonly source: string }
  | { readonly via: 'copy'; readonly storage: string; readonly key: string };

type Film = Pick<FilmRecord, 'id' | 'strategy'>;

/**
 * Where a scene can be played from, the best first. `direct` and `hybrid` prefer the direct URL while it is safely alive,
 * and fall back to it in its last minutes when there is no copy; `cloud` never plays the source. A copy of an earlier
 * revision plays until one of the present revision is verified.
 *
 * @param order store ids, the preferred first
 */
export function placesOf(film: Film, scene: SceneRecord, order: readonly string[], now: Date): Place[] {
  if (scene.placeholder) return [];
  const copies = scene.copies
    .filter(({ state, storageId }) => state === 'verified' && order.includes(storageId))
    .sort((a, b) => b.revision - a.revision || order.indexOf(a.storageId) - order.indexOf(b.storageId))
    .flatMap(placeOfCopy);
  const source = scene.videoUrl ?? scene.predictionId;
  if (film.strategy === 'cloud' || source === undefined || !isAlive(scene, now)) return copies;
  const direct: Place = { via: 'direct', source };
  return isSafelyAlive(scene, now) ? [direct, ...copies] : [...copies, direct];
}

const placeOfCopy = ({ storageId, key }: CopyRecord): Place[] =>
  key === undefined ? [] : [{ via: 'copy', storage: storageId, key }];

/** Why a scene has no place to play from, and what to do. */
export function noPlace(film: Film, scene: SceneRecord, now: Date): ExportError {
  const name = `Scene ${scene.sceneNumber} of film ${film.id}`;
  if (scene.placeholder) return new ExportError('PLACEHOLDER', `${name} is a placeholder: it has no video.`);
  if (isAlive(scene, now)) {
    return new ExportError('NOT_ARCHIVED', `${name} has no verified copy yet. Ask again when its export is done.`);
  }
  const why = scene.sourceError
    ? `: ${scene.sourceError.message}`
    : `, because its time was over at ${scene.deadline?.toISOString()}`;
  return new ExportError(
    'NOTHING_PLAYABLE',
    `${name} has no verified copy, and its source cannot be played${why} Render it again and post the film with the new video_url.`,
  );
}
