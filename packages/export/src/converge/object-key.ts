import { assertObjectKey } from '@paradoxon/storage';

/**
 * The key of a scene's copies, the same in every store: `films/<film id>/0001-r1.mp4`. Never made from user text or from
 * the source's file name (one in five of those is `output.mp4`). A scene whose video is replaced gets a new revision, so
 * a new key: no copy is ever overwritten by another video.
 */
export function objectKey(filmId: string, sceneNumber: number, revision: number, extension: string): string {
  return assertObjectKey(`films/${filmId}/${String(sceneNumber).padStart(4, '0')}-r${revision}.${extension}`);
}
