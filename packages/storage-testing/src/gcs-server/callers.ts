import { GcsError } from './gcs-error.ts';

/** Who asks, and what they may. */
export interface Caller {
  /** An account's e-mail address; none for anonymous ones. */
  readonly email?: string;
  may(permission: string): boolean;
}

/**
 * @param permission e.g. `storage.objects.get`
 * @throws GcsError 403 `forbidden`, 401 `required` for anonymous callers
 */
export function demand(caller: Caller, permission: string): void {
  if (caller.may(permission)) return;
  // listing is a permission on the bucket, although its name says objects
  const resource = permission.startsWith('storage.buckets.') || permission === 'storage.objects.list';
  const message =
    `${caller.email ?? 'Anonymous caller'} does not have ${permission} access to the Google Cloud Storage ` +
    `${resource ? 'bucket' : 'object'}. Permission '${permission}' denied on resource (or it may not exist).`;
  if (caller.email !== undefined) throw new GcsError(403, 'forbidden', message);
  throw new GcsError(401, 'required', message, {
    location: { locationType: 'header', location: 'Authorization' },
    headers: { 'www-authenticate': 'Bearer realm="https://accounts.google.com/"' },
  });
}
