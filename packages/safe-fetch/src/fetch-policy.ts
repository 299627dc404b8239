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
  /** From the request sent to its headers received, per hop. Default 30,000. */
  readonly headersTimeoutMs?: number;
  /** No byte for so long, although somebody waits for one: `STALLED`. Default 30,000. */
  readonly idleTimeoutMs?: number;
  /** Fewer bytes per second than this over `minRateWindowMs`, although somebody waits for them: `TOO_SLOW`. 0 is off. Default 1,024. */
  readonly minBytesPerSecond?: number;
  /** Default 30,000. */
  readonly minRateWindowMs?: number;
  /** More CA certificates than the machine's own, PEM. */
  readonly ca?: string;
}

/** A policy with its defaults filled in. */
export type ResolvedFetchPolicy = Required<Omit<FetchPolicy, 'ca'>> & Pick<FetchPolicy, 'ca'>;
