import { isIP } from 'node:net';
import { FetchError } from './fetch-error.ts';
import { type ResolvedFetchPolicy } from './fetch-policy.ts';
import { canonicalAddress, isForbiddenAddress } from './forbidden-address.ts';

const MAX_URL_CHARACTERS = 2048;

/**
 * Reads a URL that somebody else chose. The parsed form is what is judged: `new URL()` turns `0x7f.1`, `2130706433` and
 * `①②⑦.⓪.⓪.①` into `127.0.0.1`.
 *
 * @param base where a relative redirect starts
 * @throws FetchError `FORBIDDEN_URL`, without the URL where it might not be one
 */
export function parseAllowedUrl(text: string | URL, policy: ResolvedFetchPolicy, base?: URL): URL {
  const url = URL.parse(String(text), base?.href);
  // no cause and no text: the parser's own error repeats the whole URL, its secrets included
  if (!url) throw new FetchError('FORBIDDEN_URL', 'This is not a URL.');
  const reason = reasonAgainst(url, policy);
  if (reason) throw new FetchError('FORBIDDEN_URL', reason, { url });
  return url;
}

/**
 * Whether an address may be reached: a public one, or one that the policy names.
 * @param address as a socket reports it
 */
export function mayReach(address: string, policy: ResolvedFetchPolicy): boolean {
  return !isForbiddenAddress(address) || policy.allowedPrivateAddresses.includes(canonicalAddress(address));
}

/** The address, when a URL's or a socket's hostname is one. */
export function withoutBrackets(hostname: string): string {
  return hostname.replace(/^\[|\]$/g, '');
}

function reasonAgainst(url: URL, policy: ResolvedFetchPolicy): string | undefined {
  const host = withoutBrackets(url.hostname);
  const local = policy.allowedPrivateAddresses.includes(canonicalAddress(host));
  if (url.href.length > MAX_URL_CHARACTERS) return `The URL has more than ${MAX_URL_CHARACTERS} characters.`;
  if (url.protocol !== 'https:' && !(local && url.protocol === 'http:')) {
    return 'Only https is allowed (http only for an address listed in allowedPrivateAddresses).';
  }
  if (url.username !== '' || url.password !== '') {
    return 'A URL with a user name or password is not allowed. Take them out.';
  }
  if (url.port !== '' && !local) {
    return 'Only port 443 is allowed (another one only for an address listed in allowedPrivateAddresses).';
  }
  // the connection is what is guarded; here it is only said earlier, for those who hand a URL to somebody else
  if (isIP(host) !== 0 && !mayReach(host, policy)) {
    return `The address ${host} is not public. If it is meant to be reached, list it in allowedPrivateAddresses.`;
  }
  if (!local && !policy.allowedHosts.some((entry) => matches(entry, url.hostname))) {
    const allowed = policy.allowedHosts.join(', ') || 'none';
    return `The host "${url.hostname}" is not allowed. Allowed: ${allowed}. If it is to be trusted, add it to allowedHosts.`;
  }
  return undefined;
}

function matches(entry: string, hostname: string): boolean {
  if (entry === '*') return true;
  return entry.startsWith('*.') ? hostname.endsWith(entry.slice(1)) : hostname === entry;
}
