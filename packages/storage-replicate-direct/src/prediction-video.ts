import { redactUrls, StorageError } from '@paradoxon/storage';
import type { Prediction } from './prediction.ts';
import { videoUrlsIn } from './video-urls.ts';

/** The median video takes 93 s: asking more often than this finds out nothing. */
const POLL_AGAIN_MS = 5_000;

/**
 * The URL of a prediction's video; it may be a `data:` URL.
 *
 * @throws StorageError `SOURCE_NOT_READY` (with `retryAfterMs`) while it runs, also in a status nobody knows yet ·
 *   `SOURCE_FAILED` when it ended without a video, with Replicate's own error text · `SOURCE_EXPIRED` when its data was removed
 */
export function videoUrlOf(prediction: Prediction): string {
  const { id, status, output } = prediction;
  if (status === 'failed' || status === 'canceled' || status === 'aborted') {
    throw failed(`Prediction ${id} ${status}${errorText(prediction)}. Run it again.`);
  }
  if (prediction.data_removed === true) throw removed(id);
  if (status !== 'succeeded') {
    throw new StorageError('SOURCE_NOT_READY', `Prediction ${id} is ${status.slice(0, 40)}. Ask again later.`, {
      scope: 'source',
      retryAfterMs: POLL_AGAIN_MS,
    });
  }
  const [url] = videoUrlsIn(output);
  if (url !== undefined) return url;
  const error = errorText(prediction);
  // "Prediction timed out" has been seen with this status
  if (error !== '') throw failed(`Prediction ${id} succeeded without an output${error}. Run it again.`);
  // how removed predictions look, with or without data_removed
  if (isNothing(output) && isNothing(prediction.input)) throw removed(id);
  throw failed(`Prediction ${id} succeeded and its output contains no URL. Is it a model that makes videos?`);
}

const failed = (message: string): StorageError => new StorageError('SOURCE_FAILED', message, { scope: 'source' });

const removed = (id: string): StorageError =>
  new StorageError(
    'SOURCE_EXPIRED',
    `Replicate has removed the data of prediction ${id}, its inputs too: it does so an hour after the prediction. ` +
      'Use a copy made before, or generate the video again.',
    { scope: 'source' },
  );

function isNothing(value: unknown): boolean {
  return value == null || (typeof value === 'object' && Object.keys(value).length === 0);
}

/**
 * The error is free text, now and then JSON. It may quote the input, so its URLs are redacted, before it is cut: half a
 * password is not recognised as one.
 */
function errorText({ error }: Prediction): string {
  if (isNothing(error) || error === '') return '';
  const text = typeof error === 'string' ? error : JSON.stringify(error);
  return `: ${redactUrls(text)
    .slice(0, 300)
    .replace(/[\s.]+$/, '')}`;
}
