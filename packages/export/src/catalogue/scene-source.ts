import type { NewScene } from './film-record.ts';

/** What of a scene tells where its video comes from, as stored. */
export interface SceneSource {
  readonly videoUrl: string | null;
  readonly predictionId: string | null;
  readonly placeholder: boolean;
}

/**
 * Whether a scene that is posted again still has the source that is stored. It may say less (the prediction of a URL that is
 * known) or more (the URL of a prediction that is known); it may not contradict, and something must be in common.
 */
export function isSameSource(stored: SceneSource, posted: NewScene): boolean {
  if (stored.placeholder !== posted.placeholder) return false;
  const pairs = [
    [stored.videoUrl, posted.videoUrl ?? null],
    [stored.predictionId, posted.predictionId ?? null],
  ];
  const inBoth = pairs.filter(([ours, theirs]) => ours !== null && theirs !== null);
  return inBoth.every(([ours, theirs]) => ours === theirs) && (inBoth.length > 0 || stored.placeholder);
}
