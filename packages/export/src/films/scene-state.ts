import type { CopyRecord, FilmRecord, SceneRecord, Strategy } from '../catalogue/film-record.ts';

/**
 * Derived from the catalogue, never stored.
 *
 * - `placeholder`: nothing to play, by intention
 * - `live`: strategy direct, and the direct URL is alive
 * - `archiving`: copies are wanted and on their way
 * - `archived`: every wanted copy is verified
 * - `degraded`: some wanted copy is missing, but at least one is verified
 * - `at_risk`: nothing is verified and the direct URL dies soon
 * - `failed`: nothing is verified, and trying again as it is will not help
 * - `lost`: nothing is verified and the source is gone
 */
export const SCENE_STATES = [
  'placeholder',
  'live',
  'archiving',
  'archived',
  'degraded',
  'at_risk',
  'failed',
  'lost',
] as const;
export type SceneState = (typeof SCENE_STATES)[number];

/** A copy is preferred to a direct URL with this little time left: a player that starts now must still get its bytes. */
const LIVE_MARGIN_MS = 2 * 60_000;
/** Nothing verified and this little time left: `at_risk`. */
const RISK_MS = 15 * 60_000;

type Wanting = { readonly strategy: Strategy; readonly storages: readonly string[] };
const GONE: ReadonlySet<string> = new Set(['SOURCE_EXPIRED', 'NOT_FOUND']);
/** What nobody should be sent to, though it may answer. */
const UNPLAYABLE: ReadonlySet<string> = new Set([
  ...GONE,
  'SOURCE_FAILED',
  'NOT_A_VIDEO',
  'FORBIDDEN_URL',
  'TOO_MANY_REDIRECTS',
]);

/** The stores in which a film's scenes should have a copy. */
export const wantedStorages = (film: Wanting): readonly string[] => (film.strategy === 'direct' ? [] : film.storages);

/** Stored without being archived, until an export asks for it. */
export const isPending = (film: Wanting): boolean => film.strategy !== 'direct' && film.storages.length === 0;

/** Verified copies of the scene as it is now; those of an earlier revision do not count. */
export const verifiedCopies = (scene: SceneRecord): readonly CopyRecord[] =>
  scene.copies.filter((copy) => copy.state === 'verified' && copy.revision === scene.revision);

/** Wanted stores without a verified copy. */
export function missingStorages(film: Wanting, scene: SceneRecord): readonly string[] {
  if (scene.placeholder) return [];
  const held = new Set(verifiedCopies(scene).map((copy) => copy.storageId));
  return wantedStorages(film).filter((storage) => !held.has(storage));
}

/** Whether this error says that the source no longer exists. */
export const saysGone = ({ code }: { readonly code: string }): boolean => GONE.has(code);
const isGone = (scene: SceneRecord): boolean => scene.sourceError !== undefined && saysGone(scene.sourceError);

/** Whether the direct URL can be handed out: nothing is known against it, and its deadline has not passed. */
export function isAlive(scene: SceneRecord, now: Date): boolean {
  if (scene.placeholder || (scene.sourceError && UNPLAYABLE.has(scene.sourceError.code))) return false;
  return scene.deadline === undefined || scene.deadline > now;
}

/** Alive for long enough to be preferred to a copy. */
export const isSafelyAlive = (scene: SceneRecord, now: Date): boolean =>
  isAlive(scene, new Date(now.getTime() + LIVE_MARGIN_MS));

export function sceneState(film: Wanting, scene: SceneRecord, now: Date): SceneState {
  if (scene.placeholder) return 'placeholder';
  const anyVerified = verifiedCopies(scene).length > 0;
  const missing = missingStorages(film, scene);
  if (missing.length === 0 && anyVerified) return 'archived';
  if (isOnTheWay(scene, missing)) return anyVerified || !isAtRisk(scene, now) ? 'archiving' : 'at_risk';
  if (anyVerified) return 'degraded';
  if (isGone(scene) || (scene.deadline !== undefined && scene.deadline <= now)) return 'lost';
  if (wantedStorages(film).length === 0) return 'live';
  return isAtRisk(scene, now) ? 'at_risk' : 'failed';
}

/** A wanted copy that is being made, or that nothing speaks against. */
function isOnTheWay(scene: SceneRecord, missing: readonly string[]): boolean {
  const refused = scene.sourceError !== undefined;
  return missing.some((storage) => {
    const copy = scene.copies.find((each) => each.storageId === storage && each.revision === scene.revision);
    return copy === undefined ? !refused : copy.state === 'copying';
  });
}

const isAtRisk = (scene: SceneRecord, now: Date): boolean =>
  scene.deadline !== undefined && scene.deadline.getTime() - RISK_MS <= now.getTime();

/** `pending`: stored without being archived, until an export asks for it · `empty`: placeholders only. */
export const EXPORT_STATUSES = ['empty', 'pending', 'processing', 'completed', 'partial', 'failed'] as const;
export type ExportStatus = (typeof EXPORT_STATUSES)[number];

/** One word for a film: all scenes there, some, none, or still at work. */
export function exportStatus(film: FilmRecord, now: Date): ExportStatus {
  const scenes = film.scenes.filter((scene) => !scene.placeholder);
  if (scenes.length === 0) return 'empty';
  if (isPending(film)) return 'pending';
  if (scenes.some((scene) => isOnTheWay(scene, missingStorages(film, scene)))) return 'processing';
  const states = scenes.map((scene) => sceneState(film, scene, now));
  const whole = states.filter((state) => state === 'archived' || state === 'live').length;
  if (whole === states.length) return 'completed';
  return whole > 0 || states.includes('degraded') ? 'partial' : 'failed';
}
