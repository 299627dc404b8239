import { isIP } from 'node:net';
import { canonicalAddress } from './forbidden-address.ts';

/** Where a SafeFetch may go, and what it puts up with there. */
export interface FetchPolicy {
  /**
   * Exact names (`replicate.delivery`), `*.example.com` (any subdomain, not the name itself), or `*` (any public host).
   * Compared with the URL's own, normalised hostname.
   */
  readonly allowedHosts: readonly string[];
  /**
   * Exact IP addresses, otherwise forbidden, that may be reached: for tests and local runs. A URL whose hostname is such
   * a literal counts as an allowed host, and may use http and any port. It switches off nothing else.
   */
  readonly allowedPrivateAddresses?: readonly string[];
  /** Hops followed, every one judged anew; one more is `TOO_MANY_REDIRECTS`. Default 3. */
  readonly maxRedirects?: number;
  /** Largest body, bytes: judged by its content-length and by counting. Default 2 GiB. */
  readonly maxBytes?: number;
  /** Name resolution, TCP and TLS together, per hop. Default 10,000. */
  readonly connectTimeoutMs?: number;
  /** From the start of a hop to its headers, connecting included. Default 30,000. */
  readonly headersTimeoutMs?: number;
  /** No byte for so long, although somebody waits for one: `STALLED`. Default 30,000. */
  readonly idleTimeoutMs?: number;
  /** Fewer than this over `minRateWindowMs` of waiting: `TOO_SLOW`. 0 is off. Default 1,024. */
  readonly minBytesPerSecond?: number;
  /** Default 30,000. */
  readonly minRateWindowMs?: number;
  /** More CA certificates than the machine's own, PEM. */
  readonly ca?: string;
}

/** A policy with its defaults filled in and its names normalised. */
export type ResolvedFetchPolicy = Required<Omit<FetchPolicy, 'ca'>> & Pick<FetchPolicy, 'ca'>;

const DEFAULTS = {
  maxRedirects: 3,
  maxBytes: 2 * 1024 ** 3,
  connectTimeoutMs: 10_000,
  headersTimeoutMs: 30_000,
  idleTimeoutMs: 30_000,
  minBytesPerSecond: 1024,
  minRateWindowMs: 30_000,
};
const MAY_BE_ZERO = ['maxRedirects', 'maxBytes', 'minBytesPerSecond'];

/** @throws TypeError naming the option that makes no sense */
export function resolvePolicy(policy: FetchPolicy): ResolvedFetchPolicy {
  const numbers = { ...DEFAULTS };
  for (const name of Object.keys(DEFAULTS) as (keyof typeof DEFAULTS)[]) {
    const value = policy[name] ?? DEFAULTS[name];
    // timers of Node turn anything longer than 2^31 - 1 ms into 1 ms
    const highest = name.endsWith('Ms') ? 2 ** 31 - 1 : Number.MAX_SAFE_INTEGER;
    const lowest = MAY_BE_ZERO.includes(name) ? 0 : 1;
    if (!Number.isInteger(value) || value < lowest || value > highest) {
      throw new TypeError(`${name}: a whole number from ${lowest} to ${highest} is needed, not ${value}.`);
    }
    numbers[name] = value;
  }
  return {
    ...numbers,
    allowedHosts: listOf('allowedHosts', policy.allowedHosts, 'host names').map(normaliseHost),
    allowedPrivateAddresses: listOf(
      'allowedPrivateAddresses',
      policy.allowedPrivateAddresses ?? [],
      'IP addresses',
    ).map(normaliseAddress),
    ...(policy.ca === undefined ? {} : { ca: policy.ca }),
  };
}

/** Whoever writes plain JavaScript has no compiler that asks for a list. */
function listOf(option: string, value: unknown, content: string): readonly string[] {
  if (Array.isArray(value) && value.every((entry) => typeof entry === 'string')) return value;
  throw new TypeError(`${option}: a list of ${content} is needed, not ${JSON.stringify(value)}.`);
}

/** Names as `new URL()` spells them (lower case, punycode), so that comparing them is comparing strings. */
function normaliseHost(entry: string): string {
  const wildcard = entry.startsWith('*.') ? '*.' : '';
  const name = entry.slice(wildcard.length);
  if (entry === '*') return entry;
  const url = URL.parse(`https://${name}/`);
  if (!url || url.hostname === '' || url.href !== `https://${url.hostname}/` || name.includes('*')) {
    throw new TypeError(`allowedHosts: "${entry}" is neither a host name, nor "*.name", nor "*".`);
  }
  return wildcard + url.hostname;
}

function normaliseAddress(entry: string): string {
  if (isIP(entry) === 0) throw new TypeError(`allowedPrivateAddresses: "${entry}" is not an IP address.`);
  return canonicalAddress(entry);
}
