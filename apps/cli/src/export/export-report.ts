import type { ExportInfo } from '@paradoxon/export';

/** The outcome in a few lines: what is where, what is wrong, and what to do next. */
export function exportReport(info: ExportInfo, scenesWorkedOn: number): string {
  const copies = info.scenes.flatMap((scene) =>
    scene.copies
      .map((copy) => ({ ...copy, scene: scene.scene_number }))
      .filter((copy) => info.storages.includes(copy.storage)),
  );
  const verified = copies.filter((copy) => copy.state === 'verified');
  const wanting = copies.filter((copy) => copy.state !== 'verified');
  const sum = `${plural(verified.length, 'verified copy', 'verified copies')} of ${plural(info.total_scenes, 'scene')}`;
  const size = `${(info.total_file_size / 1024 ** 2).toFixed(1)} MiB`;
  const where = info.storages.length === 0 ? 'no store' : info.storages.join(', ');
  const head =
    scenesWorkedOn === 0 && wanting.length === 0 && info.storage_type !== 'direct'
      ? `Nothing to do: ${sum} in ${where} (${size}).`
      : `${info.status}: ${sum} in ${where} (${size}), strategy ${info.storage_type}.`;
  const missing = wanting.map(
    (copy) =>
      `  scene ${copy.scene} → ${copy.storage}: ${copy.state}${copy.error ? `, ${copy.error.code}: ${copy.error.message}` : ''}`,
  );
  return [`Film "${info.title}" (${info.film_id})`, head, ...missing].join('\n');
}

const plural = (count: number, one: string, many = `${one}s`): string => `${count} ${count === 1 ? one : many}`;
