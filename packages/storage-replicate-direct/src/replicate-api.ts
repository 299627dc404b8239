import { text } from 'node:stream/consumers';
import { retryAfterMs, SafeFetch } from '@paradoxon/safe-fetch';
import { StorageError } from '@paradoxon/storage';
import { z } from 'zod';
import { refusalError } from './api-refusal.ts';
import { parsePrediction, type Prediction } from './prediction.ts';
import type { ParsedReplicateDirectOptions } from './replicate-options.ts';
import { RequestGate } from './request-gate.ts';

/** A prediction that carries a video of 10 MB in itself, in base64, and room. */
const MAX_ANSWER_BYTES = 16 * 1024 ** 2;
/** After a 429 that does not say how long. */
const DEFAULT_PAUSE_MS = 1_000;

const pageSchema = z.looseObject({ results: z.array(z.unknown()), next: z.string().nullish() });

export interface ListOptions {
  /** Only predictions created after this. */
  readonly createdAfter?: Date | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * The two calls of Replicate's HTTP API that reading needs. Own calls, because the official client 1.4.0 answers a 429 with a
 * burst. The token goes to the API's origin and nowhere else: no redirect is followed, and `next` may not lead away.
 */
export class ReplicateApi {
  readonly #fetch: SafeFetch;
  readonly #gate = new RequestGate();
  readonly #base: URL;
  readonly #token: string | undefined;

  constructor(options: ParsedReplicateDirectOptions) {
    this.#base = new URL(options.apiUrl.replace(/\/*$/, '/'));
    this.#token = options.apiToken;
    this.#fetch = new SafeFetch({
      allowedHosts: [this.#base.hostname],
      allowedPrivateAddresses: options.allowedPrivateAddresses,
      maxRedirects: 0,
      maxBytes: MAX_ANSWER_BYTES,
      ...(options.ca === undefined ? {} : { ca: options.ca }),
    });
  }

  predictionUrl(id: string): URL {
    return new URL(`v1/predictions/${id}`, this.#base);
  }

  async getPrediction(id: string, signal?: AbortSignal): Promise<Prediction> {
    return parsePrediction(await this.#get(this.predictionUrl(id), `prediction ${id}`, signal));
  }

  async *listPredictions({ createdAfter, signal }: ListOptions = {}): AsyncGenerator<Prediction> {
    const what = 'the list of predictions';
    const seen = new Set<string>();
    let url = new URL('v1/predictions', this.#base);
    if (createdAfter) url.searchParams.set('created_after', createdAfter.toISOString());
    for (;;) {
      seen.add(url.href);
      const page = pageSchema.safeParse(await this.#get(url, what, signal));
      if (!page.success) throw unreadable(what);
      yield* page.data.results.map(parsePrediction);
      if (!page.data.next) return;
      url = this.#nextPage(page.data.next, url.href);
      if (seen.has(url.href)) throw unreadable(`${what}, whose next page is one already read,`);
    }
  }

  close(): Promise<void> {
    return this.#fetch.close();
  }

  #nextPage(next: string, current: string): URL {
    const url = URL.parse(next, current);
    if (url?.origin === this.#base.origin) return url;
    throw new StorageError(
      'FORBIDDEN_URL',
      `The list of predictions continues at ${url?.origin ?? 'no URL'} instead of ${this.#base.origin}: not followed.`,
      { scope: 'source' },
    );
  }

  /** One GET; after a 429 a second one, when the pause asked for is over. */
  async #get(url: URL, what: string, signal: AbortSignal | undefined): Promise<unknown> {
    const token = this.#token;
    if (token === undefined) {
      throw new StorageError(
        'UNAUTHENTICATED',
        `Asking Replicate for ${what} needs the option apiToken, and it is not set. Video URLs need none.`,
        { scope: 'local' },
      );
    }
    const attempt = () => this.#gate.pass(() => this.#ask(url, token, signal), signal);
    let answer = await attempt();
    if (answer.status === 429) answer = await attempt();
    if (answer.status !== 200) throw refusalError(answer, what, token);
    try {
      return JSON.parse(answer.body);
    } catch {
      // the parser's own error repeats what it read
      throw unreadable(what);
    }
  }

  async #ask(url: URL, token: string, signal: AbortSignal | undefined) {
    const { status, headers, body } = await this.#fetch.request(url, {
      headers: { authorization: `Bearer ${token}`, accept: 'application/json' },
      ...(signal ? { signal } : {}),
    });
    let pauseMs = retryAfterMs(headers['retry-after']);
    if (status === 429) {
      // Replicate sends ratelimit-reset, in seconds, with every answer
      pauseMs ??= retryAfterMs(headers['ratelimit-reset']) ?? DEFAULT_PAUSE_MS;
      this.#gate.pause(pauseMs);
    }
    return { status, retryAfterMs: pauseMs, body: await text(body) };
  }
}

function unreadable(what: string): StorageError {
  return new StorageError('UNAVAILABLE', `Replicate's answer to the request for ${what} cannot be read.`, {
    scope: 'source',
  });
}
