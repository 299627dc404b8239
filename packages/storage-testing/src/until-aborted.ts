import { untilAborted as stepUntilAborted } from '@paradoxon/storage/plugin';

/**
 * The same chunks, but `next()` rejects as soon as the signal aborts, even while the source stalls, and the source is
 * closed whenever the reading stops early.
 *
 * @param abortError what to reject with
 */
export async function* untilAborted<T>(
  chunks: AsyncIterable<T>,
  signal: AbortSignal | undefined,
  abortError: () => Error,
): AsyncGenerator<T> {
  const iterator = chunks[Symbol.asyncIterator]();
  let ended = false;
  try {
    for (;;) {
      const step = await stepUntilAborted(iterator.next(), signal, abortError);
      if (step.done) {
        ended = true;
        return;
      }
      yield step.value;
    }
  } finally {
    if (!ended) close(iterator);
  }
}

/** Does not wait: an async generator that stalls answers `return()` only when it moves again. */
function close(iterator: AsyncIterator<unknown>): void {
  // the caller is already being told why the reading stopped; a second complaint from the source adds nothing
  iterator.return?.().catch(() => undefined);
}
