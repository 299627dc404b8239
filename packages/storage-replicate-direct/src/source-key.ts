import { redactUrls, StorageError } from '@paradoxon/storage';

export type SourceKey =
  { readonly kind: 'prediction'; readonly id: string } | { readonly kind: 'url'; readonly url: string };

/** Real ids have 25 or 26 of these characters. */
const PREDICTION_ID = /^[a-z0-9]{20,40}$/;

/**
 * What a key names: a prediction by its id, or a video by its URL. The URL is taken as it is: real ones contain `%2520` and
 * `%22`, and decoding them would name another file. Whether it may be fetched is for safe-fetch to say (`FORBIDDEN_URL`).
 * @throws StorageError `INVALID_KEY` for anything else
 */
export function parseSourceKey(key: string): SourceKey {
  if (PREDICTION_ID.test(key)) return { kind: 'prediction', id: key };
  if (isVideoUrl(key)) return { kind: 'url', url: key };
  throw new StorageError(
    'INVALID_KEY',
    `${redactUrls(JSON.stringify(key) ?? typeof key).slice(0, 200)} is neither a video URL (https://…) nor a prediction id ` +
      '(20 to 40 lower-case letters and digits).',
    { scope: 'local' },
  );
}

/** A scheme alone is enough for `new URL`, so the slashes are asked for. */
function isVideoUrl(key: string): boolean {
  return /^https?:\/\//i.test(key) && URL.canParse(key);
}
