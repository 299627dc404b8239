import type { IssuedUrl } from '@paradoxon/storage';
import { JWT } from 'google-auth-library';
import type { GcsClient } from './gcs-client.ts';
import { type GcsCall, gcsError } from './gcs-errors.ts';

export const MAX_TTL_SECONDS = 7 * 24 * 60 * 60;
const DEFAULT_TTL_SECONDS = 900;
/**
 * Google signs with keys of its own where there is none here, and promises no longer life of them.
 * @see https://cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts/signBlob ("will remain
 * valid for at least 12 hours after the blob is signed")
 */
const MAX_REMOTE_TTL_SECONDS = 12 * 60 * 60;

/** A V4 signed URL, signed here when the credentials have a private key, else by Google's IAM. */
export async function signedUrl(
  client: GcsClient,
  call: GcsCall,
  name: string,
  ttlSeconds = DEFAULT_TTL_SECONDS,
  signal?: AbortSignal,
): Promise<IssuedUrl> {
  const auth = await client.authWork(call, signal, client.auth.getClient());
  const keyIsHere = auth instanceof JWT && auth.key !== undefined;
  const max = keyIsHere ? MAX_TTL_SECONDS : MAX_REMOTE_TTL_SECONDS;
  // whole seconds, as in the URL: what is said of its end is the truth
  const now = Math.floor(Date.now() / 1000);
  const expires = now + Math.max(1, Math.floor(Math.min(ttlSeconds, max)));
  const signing = client.storage
    .bucket(call.bucket)
    .file(name)
    .getSignedUrl({ version: 'v4', action: 'read', accessibleAt: now * 1000, expires: expires * 1000 })
    .catch((error: unknown) => {
      throw signingError(error, call);
    });
  const [url] = await client.authWork(call, signal, signing);
  return { url, expiresAt: new Date(expires * 1000), supportsRange: true };
}

/** The SDK keeps nothing of a refusal but its words. */
function signingError(error: unknown, call: GcsCall): unknown {
  const quoted = error instanceof Error ? error.message : String(error);
  if (/client_email/.test(quoted)) {
    const text =
      'cannot sign links with these credentials, which belong to no service account (a login of gcloud does not): use ' +
      'the key file of one, or an account that impersonates one';
    return gcsError('PERMISSION_DENIED', text, call, { quoted });
  }
  if (/signBlob|iamcredentials|IAM Service Account Credentials/i.test(quoted)) {
    const text =
      'has no private key here to sign links with, and Google may not sign for it: give its service account the ' +
      'permission iam.serviceAccounts.signBlob on itself (roles/iam.serviceAccountTokenCreator), and enable ' +
      'iamcredentials.googleapis.com in its project';
    return gcsError('PERMISSION_DENIED', text, call, { quoted });
  }
  return error;
}
