import { isIP } from 'node:net';
import { isForbiddenAddress } from '@paradoxon/safe-fetch';
import { StorageError } from '@paradoxon/storage';
import { isListedAddress, type ParsedReplicateDirectOptions } from './replicate-options.ts';

/**
 * Refuses a URL that we would not fetch ourselves before it is handed to somebody: a redirect to anywhere would be open.
 * @throws StorageError `FORBIDDEN_URL`
 */
export function assertAllowedUrl(
  url: string,
  {
    allowedHosts,
    allowedPrivateAddresses,
  }: Pick<ParsedReplicateDirectOptions, 'allowedHosts' | 'allowedPrivateAddresses'>,
): void {
  const { protocol, hostname, port, username, password } = new URL(url);
  const address = hostname.replace(/^\[|\]$/g, '');
  if (!username && !password) {
    if (isListedAddress(hostname, allowedPrivateAddresses)) return;
    const forbiddenAddress = isIP(address) !== 0 && isForbiddenAddress(address);
    if (protocol === 'https:' && port === '' && !forbiddenAddress && isAllowedHost(hostname, allowedHosts)) return;
  }
  throw new StorageError(
    'FORBIDDEN_URL',
    `${url} is not allowed: https on one of these hosts is (option allowedHosts): ${allowedHosts.join(', ')}.`,
    { scope: 'source' },
  );
}

function isAllowedHost(hostname: string, allowedHosts: readonly string[]): boolean {
  return allowedHosts.some(
    (allowed) =>
      allowed === '*' || allowed === hostname || (allowed.startsWith('*.') && hostname.endsWith(allowed.slice(1))),
  );
}
