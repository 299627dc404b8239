import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { Storage } from '@google-cloud/storage';
import { StorageError } from '@paradoxon/storage';
import { assertNotAborted, untilAborted } from '@paradoxon/storage/plugin';
import { gaxios } from 'google-auth-library';
import { z } from 'zod';
import { Attempts } from './attempts.ts';
import { credentialsError, GcsAuth } from './gcs-credentials.ts';
import { abortError, type GcsCall, gcsError, mayBeDone, refusalError, transportError } from './gcs-errors.ts';
import type { GcsSettings } from './gcs-options.ts';
import { type PoolName, SocketPools } from './socket-pools.ts';

export interface GcsRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  readonly url: URL;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent one after the other, as they are. */
  readonly body?: readonly Uint8Array[];
  /** Default: 'calls'. */
  readonly pool?: PoolName;
  /** Statuses besides 2xx that are answers, not errors. */
  readonly alsoGood?: readonly number[];
  /** The URL itself is the permission: no token is sent. */
  readonly anonymous?: boolean;
  /** Called when there is a token and the request goes out: what fails before that has not been asked of the store. */
  readonly sending?: () => void;
  readonly signal?: AbortSignal | undefined;
}

export interface GcsAnswer {
  readonly status: number;
  readonly headers: Headers;
  /** To be read or destroyed: until then the connection is taken. */
  readonly body: Readable;
}

/**
 * Requests to the JSON API, by the SDK's own HTTP client and with its credentials. The calls of the SDK itself cannot be
 * aborted, and keep their connections in pools that all of a process's clients share: here every request ends with its
 * signal, and every connection with the store.
 */
export class GcsClient {
  /** The SDK: signs links, and is what `native()` gives. */
  readonly storage: Storage;
  readonly auth: GcsAuth;
  /** Requests carry no credentials: as the SDK has it, wherever STORAGE_EMULATOR_HOST names the server. */
  readonly emulated: boolean;
  readonly #bucket: string;
  readonly #idleMs: number;
  readonly #http = new gaxios.Gaxios();
  readonly #pools: SocketPools;

  constructor(settings: GcsSettings) {
    const { bucket, projectId, endpoint, idleTimeoutMs } = settings;
    this.auth = new GcsAuth(settings);
    this.storage = new Storage({
      authClient: this.auth,
      ...(projectId === undefined ? {} : { projectId }),
      ...(endpoint === undefined ? {} : { apiEndpoint: endpoint, useAuthWithCustomEndpoint: true }),
      retryOptions: { autoRetry: true, maxRetries: 3, totalTimeout: 10 },
    });
    this.emulated = endpoint === undefined && this.storage.customEndpoint;
    this.#bucket = bucket;
    this.#idleMs = idleTimeoutMs;
    this.#pools = new SocketPools(this.endpoint.startsWith('https:'), idleTimeoutMs);
  }

  /** Origin of the server. */
  get endpoint(): string {
    return this.storage.apiEndpoint;
  }

  /** `…/storage/v1/b/<bucket>/o`, or `…/o/<name>` */
  objectUrl(name?: string, query: Readonly<Record<string, string | undefined>> = {}): URL {
    const path = name === undefined ? '/o' : `/o/${encodeURIComponent(name)}`;
    return this.#url(`/storage/v1/b/${this.#bucket}${path}`, query);
  }

  /** `…/upload/storage/v1/b/<bucket>/o` */
  uploadUrl(query: Readonly<Record<string, string | undefined>>): URL {
    return this.#url(`/upload/storage/v1/b/${this.#bucket}/o`, query);
  }

  /**
   * Asks until there is an answer, three times at most, and reads it.
   * @param repeatable whether it does no harm to ask again when the first time may have had its effect
   */
  async ask<T>(call: GcsCall, request: GcsRequest, schema: z.ZodType<T>, repeatable = true): Promise<T> {
    const attempts = new Attempts(request.signal);
    for (;;) {
      try {
        return await this.read(call, request.signal, await this.send(call, request), schema);
      } catch (error) {
        if (!repeatable && StorageError.is(error) && mayBeDone(error)) throw error;
        await attempts.again(error);
      }
    }
  }

  /**
   * Deletes what the URL names.
   * @param repeatable the URL names a version: none but that one can be hit by a repetition
   */
  async remove(
    call: GcsCall,
    request: Pick<GcsRequest, 'url' | 'signal' | 'sending'>,
    repeatable: boolean,
  ): Promise<void> {
    await this.ask(call, { method: 'DELETE', ...request }, z.undefined(), repeatable);
  }

  /** Reads an answer that is JSON. */
  async read<T>(call: GcsCall, signal: AbortSignal | undefined, answer: GcsAnswer, schema: z.ZodType<T>): Promise<T> {
    const said = await this.readText(call, signal, answer);
    try {
      return schema.parse(said === '' ? undefined : JSON.parse(said));
    } catch (cause) {
      const strange = 'is not served there: the answer is not like that of Cloud Storage. Look at the option endpoint';
      throw gcsError('INVALID_CONFIG', strange, call, { cause, httpStatus: answer.status });
    }
  }

  /** Reads an answer that is short. */
  async readText(call: GcsCall, signal: AbortSignal | undefined, { body }: GcsAnswer): Promise<string> {
    const late = AbortSignal.timeout(this.#idleMs);
    try {
      return await untilAborted(text(body), late, () => this.#stalled());
    } catch (error) {
      body.destroy();
      throw transportError(error, call, signal);
    }
  }

  /**
   * One request, asked once.
   * @throws StorageError naming storage, bucket, operation and key
   */
  async send(call: GcsCall, request: GcsRequest): Promise<GcsAnswer> {
    const { method, url, body = [], pool = 'calls', alsoGood = [], signal } = request;
    const token = request.anonymous || this.emulated ? {} : await this.#token(call, signal);
    const options = {
      method,
      url,
      headers: { ...request.headers, ...token, ...lengthOf(method, body) },
      agent: this.#pools.agent(pool),
      // a signal of its own: the caller's would keep every request whose answer broke off
      ...(signal ? { signal: AbortSignal.any([signal]) } : {}),
      ...(body.length === 0 ? {} : { data: bodyStream(body) }),
      // no answer of this API is one; a token is sent nowhere else
      redirect: 'manual' as const,
      // the bytes as they are stored, whatever their content encoding
      compress: false,
      responseType: 'stream' as const,
      validateStatus: () => true,
    };
    let answer: GcsAnswer;
    try {
      assertNotAborted(signal);
      request.sending?.();
      const response = await this.#http.request(options);
      // a stream of Node's, whatever the type says; `data` is no stream when there is no content
      answer = { status: response.status, headers: response.headers, body: response.body as unknown as Readable };
    } catch (error) {
      throw transportError(error, call, signal);
    }
    const { status } = answer;
    if ((status >= 200 && status < 300) || alsoGood.includes(status)) return answer;
    throw refusalError({ ...answer, body: await this.readText(call, signal, answer) }, call);
  }

  /** Work of the auth library, which knows no signals and no time limit. */
  async authWork<T>(call: GcsCall, signal: AbortSignal | undefined, work: Promise<T>): Promise<T> {
    const late = AbortSignal.timeout(this.#idleMs);
    try {
      return await untilAborted(work, signal ? AbortSignal.any([signal, late]) : late);
    } catch (error) {
      if (signal?.aborted) throw abortError(call, signal);
      if (late.aborted) throw gcsError('TIMEOUT', `got no token within ${this.#idleMs} ms`, call);
      throw credentialsError(error, call);
    }
  }

  close(): void {
    this.#pools.destroy();
  }

  async #token(call: GcsCall, signal: AbortSignal | undefined): Promise<Record<string, string>> {
    return Object.fromEntries(await this.authWork(call, signal, this.auth.getRequestHeaders(this.endpoint)));
  }

  #stalled(): StorageError {
    return new StorageError('STALLED', `the answer was not complete within ${this.#idleMs} ms`);
  }

  #url(path: string, query: Readonly<Record<string, string | undefined>>): URL {
    const url = new URL(this.endpoint + path);
    for (const [name, value] of Object.entries(query)) if (value !== undefined) url.searchParams.set(name, value);
    return url;
  }
}

/** Of a body that is a stream the client does not know it. */
function lengthOf(method: string, body: readonly Uint8Array[]): Record<string, string> {
  if (method === 'GET' || method === 'DELETE') return {};
  return { 'content-length': String(body.reduce((bytes, { byteLength }) => bytes + byteLength, 0)) };
}

/** A stream: of a buffer the client makes one itself, and an abort before the first byte is an error that nobody listens to. */
function bodyStream(pieces: readonly Uint8Array[]): Readable {
  return Readable.from(pieces.filter(({ byteLength }) => byteLength > 0));
}
