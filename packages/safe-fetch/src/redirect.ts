import { parseAllowedUrl } from './allowed-url.ts';
import { FetchError } from './fetch-error.ts';
import { type ResolvedFetchPolicy } from './fetch-policy.ts';

export interface Hop {
  readonly url: URL;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
}

const REDIRECTS = new Set([301, 302, 303, 307, 308]);
/** What says which bytes are wanted, and nothing about who asks. */
const IMPERSONAL_HEADERS = new Set(['range', 'if-range', 'accept']);

/**
 * Where an answer sends us.
 * @returns the next request, or undefined when the answer is no redirect
 * @throws FetchError `FORBIDDEN_URL` when the policy does not allow it, or when it leaves https
 */
export function redirectOf(
  hop: Hop,
  answer: { readonly status: number; readonly headers: Readonly<Record<string, string>> },
  policy: ResolvedFetchPolicy,
): Hop | undefined {
  const location = answer.headers['location'];
  if (!REDIRECTS.has(answer.status) || location === undefined) return undefined;
  const url = parseAllowedUrl(location, policy, hop.url);
  if (hop.url.protocol === 'https:' && url.protocol !== 'https:') {
    throw new FetchError('FORBIDDEN_URL', 'A redirect from https to http is not followed.', { url });
  }
  if (url.origin === hop.url.origin) return { url, headers: hop.headers };
  return {
    url,
    headers: Object.fromEntries(Object.entries(hop.headers).filter(([name]) => IMPERSONAL_HEADERS.has(name))),
  };
}
