import { redactUrls, StorageError } from '@paradoxon/storage';
import { isListedAddress } from './replicate-options.ts';

export type SourceKey =
  { readonly kind: 'prediction'; readonly id: string } | { readonly kind: 'url'; readonly url: string };

/** Real ids have 25 or 26 of these characters. */
const PREDICTION_ID = /^[a-z0-9]{20,40}$/;

/**
 * What a key names: a prediction by its id, or a video by its URL (https; http on a listed private address). The URL is
 * taken as it is: real ones contain `%2520` and `%22`, and decoding them would name another file.
 * @throws StorageError `INVALID_KEY` for anything else
 */
export function parseSourceKey(key: string, privateAddresses: readonly string[]): SourceKey {
  if (PREDICTION_ID.test(key)) return { kind: 'prediction', id: key };
  if (isVideoUrl(key, privateAddresses)) return { kind: 'url', url: key };
  throw new StorageError(
    'INVALID_KEY',
    `${redactUrls(JSON.stringify(key) ?? typeof key).slice(0, 200)} is neither a video URL (https://…) nor a prediction id ` +
      '(20 to 40 lower-case letters and digits).',
    { scope: 'local' },
  );
}

function isVideoUrl(key: string, privateAddresses: readonly string[]): boolean {
  if (!/^https?:\/\//i.test(key) || !URL.canParse(key)) return false;
  const { protocol, hostname, username, password } = new URL(key);
  if (username || password) return false;
  return protocol === 'https:' || isListedAddress(hostname, privateAddresses);
}
