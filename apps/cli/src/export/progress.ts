import type { ExportEvents } from '@paradoxon/export';
import { MultiBar, Presets, type SingleBar } from 'cli-progress';

export interface Progress {
  stop(): void;
  /** Scenes for which there was something to do. */
  scenesWorkedOn(): number;
}

/** A bar for each scene and copy on a terminal; a line for each copy elsewhere. */
export function showProgress(events: ExportEvents, stream: NodeJS.WriteStream): Progress {
  const worked = new Set<number>();
  const bars = new Map<string, SingleBar>();
  const multi = stream.isTTY
    ? new MultiBar(
        {
          stream,
          format: 'scene {scene} → {storage} {bar} {percentage}% {value}/{total} KiB {note}',
          hideCursor: true,
          clearOnComplete: false,
          emptyOnZero: true,
        },
        Presets.shades_classic,
      )
    : undefined;
  const bar = (sceneNumber: number, storage: string): SingleBar | undefined => {
    const name = `${sceneNumber}/${storage}`;
    const known = bars.get(name);
    if (known || !multi) return known;
    const made = multi.create(0, 0, { scene: String(sceneNumber).padStart(2), storage, note: '' });
    bars.set(name, made);
    return made;
  };
  const line = (text: string): void => {
    if (!multi) stream.write(`${text}\n`);
  };

  events.on('scene.started', ({ sceneNumber, storages }) => {
    worked.add(sceneNumber);
    for (const storage of storages) bar(sceneNumber, storage);
  });
  events.on('copy.progress', ({ sceneNumber, storage, bytes, size }) => {
    const shown = bar(sceneNumber, storage);
    if (size !== undefined) shown?.setTotal(kib(size));
    shown?.update(kib(bytes));
  });
  events.on('copy.verified', ({ sceneNumber, storage, size, sha256, reused }) => {
    const shown = bar(sceneNumber, storage);
    shown?.setTotal(kib(size));
    shown?.update(kib(size), { note: reused ? 'was there' : 'verified' });
    line(`scene ${sceneNumber} → ${storage}: ${reused ? 'was there' : 'verified'}, ${size} bytes, sha256 ${sha256}`);
  });
  events.on('copy.failed', ({ sceneNumber, storage, error }) => {
    bar(sceneNumber, storage)?.update({ note: error.code });
    line(`scene ${sceneNumber} → ${storage}: ${error.code}: ${error.message}`);
  });
  events.on('copy.lost', ({ sceneNumber, storage, state }) => {
    line(`scene ${sceneNumber} → ${storage}: the copy is ${state}`);
  });
  return { stop: () => multi?.stop(), scenesWorkedOn: () => worked.size };
}

const kib = (bytes: number): number => Math.ceil(bytes / 1024);
