import type { ExportInfo } from '@paradoxon/export';

/** Wanted copies that are not verified, or whose store could not be asked now whether they still are. */
export const unsureCopies = (info: ExportInfo) =>
  wantedCopies(info).filter((copy) => copy.state !== 'verified' || copy.error !== null);

/** The outcome in a few lines: what is where, what is wrong, and what to do next. */
export function exportReport(info: ExportInfo, scenesWorkedOn: number): string {
  const unsure = unsureCopies(info);
  const verified = wantedCopies(info).length - unsure.length;
  const sum = `${plural(verified, 'verified copy', 'verified copies')} of ${plural(info.total_scenes, 'scene')}`;
  const size = `${(info.total_file_size / 1024 ** 2).toFixed(1)} MiB`;
  const where = `in ${info.storages.join(', ')} (${size})`;
  const head =
    info.storage_type === 'direct'
      ? `${info.status}: ${plural(info.replicate_urls.length, 'direct URL')} of ${plural(info.total_scenes, 'scene')} alive; strategy direct makes no copies.`
      : scenesWorkedOn === 0 && unsure.length === 0
        ? `Nothing to do: ${sum} ${where}.`
        : `${info.status}: ${sum} ${where}, strategy ${info.storage_type}.`;
  const lines = unsure.map(({ scene, storage, state, error }) => {
    const what = state === 'verified' ? 'was verified, and cannot be checked now' : state;
    return `  scene ${scene} → ${storage}: ${what}${error ? `, ${error.code}: ${error.message}` : ''}`;
  });
  return [`Film "${info.title}" (${info.film_id})`, head, ...lines].join('\n');
}

const wantedCopies = (info: ExportInfo) =>
  info.scenes
    .flatMap((scene) => scene.copies.map((copy) => ({ ...copy, scene: scene.scene_number })))
    .filter((copy) => info.storages.includes(copy.storage));

const plural = (count: number, one: string, many = `${one}s`): string => `${count} ${count === 1 ? one : many}`;
