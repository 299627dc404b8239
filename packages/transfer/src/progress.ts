const EVERY_MS = 100;

export interface TransferProgress {
  /** Of the present reading: it begins again at 0 when the source has to be started over. */
  readonly bytesRead: number;
  /** Bytes, when the source announced it. */
  readonly size?: number;
  /** One per target, same order. `bytes`: what the store has taken. */
  readonly targets: readonly { readonly store: string; readonly bytes: number }[];
}

/**
 * Reports at most every 100 ms, and only what is new.
 *
 * @param onFailure gets what `report` throws
 * @returns to be called at the end; reports once more
 */
export function reportProgress(
  sample: () => TransferProgress,
  report: (progress: TransferProgress) => void,
  onFailure: (error: unknown) => void,
): () => void {
  let last = '';
  const timer = setInterval(() => {
    const progress = sample();
    const now = JSON.stringify(progress);
    if (now === last) return;
    last = now;
    try {
      report(progress);
    } catch (error) {
      onFailure(error);
    }
  }, EVERY_MS);
  return () => {
    clearInterval(timer);
    report(sample());
  };
}
