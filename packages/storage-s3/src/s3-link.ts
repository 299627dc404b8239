import { GetObjectCommand } from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { type IssuedUrl, StorageError, type UrlOptions } from '@paradoxon/storage';
import type { S3Bucket, Work } from './s3-bucket.ts';

const DEFAULT_TTL_SECONDS = 900;
/** S3's own limit. */
export const MAX_TTL_SECONDS = 7 * 24 * 60 * 60;

/** A signed GET, made here without asking the server; ends no later than the credentials that sign it. */
export async function signLink(bucket: S3Bucket, key: string, options: UrlOptions): Promise<IssuedUrl> {
  const command = new GetObjectCommand({ Bucket: bucket.name, Key: bucket.pathOf(key) });
  const work: Work = { operation: 'resolveUrl', key, signal: options.signal };
  return bucket.ask(work, { permission: 's3:GetObject' }, async ({ control, download }) => {
    const { expiration } = await control.config.credentials();
    // links are dated to the second
    const now = Math.floor(Date.now() / 1000);
    const wanted = Math.min(options.ttlSeconds ?? DEFAULT_TTL_SECONDS, MAX_TTL_SECONDS);
    const untilCredentialsEnd = expiration ? Math.floor(expiration.getTime() / 1000) - now : Infinity;
    const expiresIn = Math.max(1, Math.floor(Math.min(wanted, untilCredentialsEnd)));
    if (untilCredentialsEnd <= 0) {
      throw new StorageError('UNAUTHENTICATED', 'The temporary keys have expired: nothing can be signed with them.');
    }
    // the SDK learns from answers how wrong this machine's clock is, and corrects its requests, but not its links
    const offsetMs = control.config.systemClockOffset || download.config.systemClockOffset;
    const url = await getSignedUrl(control, command, { expiresIn, signingDate: new Date(now * 1000 + offsetMs) });
    return { url, expiresAt: new Date((now + expiresIn) * 1000), supportsRange: true };
  });
}
