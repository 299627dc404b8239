import { lookup } from 'node:dns/promises';
import { type Readable } from 'node:stream';
import { Agent } from 'undici';
import { parseAllowedUrl } from './allowed-url.ts';
import { FetchError } from './fetch-error.ts';
import { type FetchPolicy, type ResolvedFetchPolicy, resolvePolicy } from './fetch-policy.ts';
import { GuardedBody } from './guarded-body.ts';
import { guardedConnector, type Resolver } from './guarded-connector.ts';
import { oneRequest, type RawAnswer, type RequestOptions } from './one-request.ts';
import { type Hop, redirectOf } from './redirect.ts';
import { fileRequestHeaders, type OpenFileOptions, readFileHeaders, type RemoteFile } from './remote-file.ts';

export interface FetchedResponse {
  readonly status: number;
  /** Lower-case names; repeated ones joined by ', '. */
  readonly headers: Readonly<Record<string, string>>;
  /** The URL that answered, after redirects. It may carry a secret. */
  readonly url: string;
  /** Read it or destroy it: until then it holds a connection. */
  readonly body: Readable;
}

/** Requests URLs that somebody else chose. Every failure is a `FetchError`; no message carries a query or a password. */
export class SafeFetch {
  readonly policy: ResolvedFetchPolicy;
  readonly #agent: Agent;

  /**
   * @param testing a resolver in place of the system's, for tests
   * @throws TypeError naming the option that makes no sense
   */
  constructor(policy: FetchPolicy, testing: { readonly resolve?: Resolver } = {}) {
    this.policy = resolvePolicy(policy);
    const resolve = testing.resolve ?? ((hostname) => lookup(hostname, { all: true }));
    this.#agent = new Agent({
      connect: guardedConnector(this.policy, resolve),
      allowH2: false,
      // a server that sends an early hint now and then would never trip the first, nor a slow drip the second: both
      // are watched here instead
      headersTimeout: 0,
      bodyTimeout: 0,
    });
  }

  /**
   * Judges a URL without requesting it: for one that is handed to somebody else. Names are judged by the host list only;
   * where they lead is known when they are connected to.
   * @throws FetchError `FORBIDDEN_URL`
   */
  assertAllowed(url: string | URL): void {
    parseAllowedUrl(url, this.policy);
  }

  /**
   * One request; redirects are followed (not those of a POST, whose body was meant for one address), and any other
   * status is answered. A body without an announced length is taken as whole when the connection ends.
   *
   * @throws FetchError `FORBIDDEN_URL`, `TOO_MANY_REDIRECTS`, `TOO_LARGE`, `TIMEOUT`, `NETWORK`, `ABORTED`; the body
   * fails with `STALLED`, `TOO_SLOW`, `TOO_LARGE`, `SOURCE_TRUNCATED`, `ABORTED`
   */
  async request(url: string | URL, options: RequestOptions = {}): Promise<FetchedResponse> {
    const answer = await this.#send(url, options);
    return { status: answer.status, headers: answer.headers, url: answer.url.href, body: this.#guard(answer) };
  }

  /**
   * Opens a remote file for reading from byte `start`. What is served is exactly what was asked for: this range of this
   * version, as it is stored.
   *
   * @throws FetchError as `request`, and `NOT_FOUND`, `PERMISSION_DENIED`, `UNAUTHENTICATED`, `RATE_LIMITED`,
   * `UNAVAILABLE`, `RANGE_NOT_SATISFIABLE` for the server's status (with `retryAfterMs` where it sends one),
   * `SOURCE_CHANGED` for another version, `RANGE_IGNORED` for another range, `UNSUPPORTED` for an encoded body
   */
  async open(url: string | URL, options: OpenFileOptions = {}): Promise<RemoteFile> {
    const { headers = {}, signal } = options;
    const answer = await this.#send(url, {
      headers: { ...headers, ...fileRequestHeaders(options) },
      ...(signal ? { signal } : {}),
    });
    try {
      const { expectedBytes, endUnknown, ...file } = readFileHeaders(answer, options);
      return {
        ...file,
        body: this.#guard(answer, { endUnknown, ...(expectedBytes === undefined ? {} : { expectedBytes }) }),
      };
    } catch (error) {
      discard(answer);
      throw error;
    }
  }

  /** Closes every connection at once; a body that is still being read fails with `ABORTED`. */
  close(): Promise<void> {
    return this.#agent.destroy();
  }

  async #send(url: string | URL, { headers = {}, ...options }: RequestOptions): Promise<RawAnswer> {
    const { maxRedirects, headersTimeoutMs, maxBytes } = this.policy;
    let hop: Hop = { url: parseAllowedUrl(url, this.policy), headers: lowerCaseNames(headers) };
    for (let redirects = 0; ; redirects += 1) {
      const answer = await oneRequest(hop, options, this.#agent, headersTimeoutMs);
      try {
        const next = options.method === 'POST' ? undefined : redirectOf(hop, answer, this.policy);
        if (!next) {
          refuseTooLarge(answer, options.method, maxBytes);
          return answer;
        }
        if (redirects === maxRedirects) {
          throw new FetchError('TOO_MANY_REDIRECTS', `More than ${maxRedirects} redirects.`, { url: hop.url });
        }
        hop = next;
      } catch (error) {
        discard(answer);
        throw error;
      }
      discard(answer);
    }
  }

  #guard(answer: RawAnswer, ending: { expectedBytes?: number; endUnknown?: boolean } = {}): Readable {
    return new GuardedBody(answer.body, { ...this.policy, ...ending, url: answer.url });
  }
}

function refuseTooLarge({ headers, url }: RawAnswer, method: RequestOptions['method'], maxBytes: number): void {
  const length = Number(headers['content-length'] ?? 0);
  if (method === 'HEAD' || length <= maxBytes) return;
  throw new FetchError('TOO_LARGE', `${length} bytes are announced, ${maxBytes} are allowed.`, { url });
}

/** Closes the connection of an answer that nobody will read; its body then reports that it was aborted. */
function discard({ body }: RawAnswer): void {
  body.on('error', () => {}).destroy();
}

function lowerCaseNames(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
}
