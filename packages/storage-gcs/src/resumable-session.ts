import { StorageError } from '@paradoxon/storage';
import { Attempts } from './attempts.ts';
import type { GcsAnswer, GcsClient } from './gcs-client.ts';
import { type GcsCall, gcsError } from './gcs-errors.ts';
import { objectResource, type ObjectResource } from './object-resource.ts';

/** What a session answers when it wants more. */
const INCOMPLETE = 308;
const CANCELLED = 499;
/** For the words after a put that failed. */
const PATIENCE_MS = 5000;

interface Chunk {
  readonly bytes: Buffer;
  /** Of the first byte in the object. */
  readonly offset: number;
  readonly last: boolean;
  /** Sent with the last chunk. */
  readonly headers: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
}

/** How far the store is: the object, or how many bytes it has. */
type Progress = { readonly stored: ObjectResource } | { readonly persistedBytes: number };

/**
 * A resumable upload: chunks one after the other; after one that failed the store is asked how far it got, and gets the
 * rest. Its URL is the permission to write to it, and is told to nobody.
 * @see https://cloud.google.com/storage/docs/performing-resumable-uploads
 */
export class ResumableSession {
  readonly #client: GcsClient;
  readonly #call: GcsCall;
  readonly #url: URL;

  private constructor(client: GcsClient, call: GcsCall, url: URL) {
    this.#client = client;
    this.#call = call;
    this.#url = url;
  }

  static async start(
    client: GcsClient,
    call: GcsCall,
    {
      query,
      description,
      headers,
      signal,
    }: {
      readonly query: Readonly<Record<string, string | undefined>>;
      readonly description: object;
      readonly headers: Readonly<Record<string, string>>;
      readonly signal: AbortSignal;
    },
  ): Promise<ResumableSession> {
    const attempts = new Attempts(signal);
    for (;;) {
      try {
        const answer = await client.send(call, {
          method: 'POST',
          url: client.uploadUrl(query),
          headers: { 'content-type': 'application/json; charset=UTF-8', ...headers },
          body: [Buffer.from(JSON.stringify(description))],
          signal,
        });
        answer.body.resume();
        return new ResumableSession(client, call, sessionUrl(client, call, answer));
      } catch (error) {
        // a session that nobody knows of holds nothing, and is gone after a week
        await attempts.again(error);
      }
    }
  }

  /** Sends a part that is not the last one; its length is a multiple of 256 KiB. */
  async send(bytes: Buffer, offset: number, signal: AbortSignal): Promise<void> {
    const progress = await this.#persist({ bytes, offset, last: false, headers: {}, signal });
    if ('stored' in progress) throw gcsError('INTERNAL', 'finished the object before its end', this.#call);
  }

  /**
   * Sends the last part, which makes the object visible.
   * @param crc of the whole object, base64: the store refuses another one
   */
  async finish(bytes: Buffer, offset: number, crc: string, signal: AbortSignal): Promise<ObjectResource> {
    const headers = { 'x-goog-hash': `crc32c=${crc}` };
    const progress = await this.#persist({ bytes, offset, last: true, headers, signal });
    if ('stored' in progress) return progress.stored;
    throw gcsError('UNAVAILABLE', 'has all bytes and no object yet', this.#call);
  }

  /** Whether the object is there, whoever saw the answer. */
  async isFinished(): Promise<boolean> {
    const signal = AbortSignal.timeout(PATIENCE_MS);
    return 'stored' in (await this.#put(Buffer.alloc(0), 'bytes */*', {}, signal));
  }

  async cancel(): Promise<void> {
    const { body } = await this.#client.send(this.#call, {
      method: 'DELETE',
      url: this.#url,
      alsoGood: [CANCELLED, 404, 410],
      anonymous: true,
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
    body.resume();
  }

  async #persist(chunk: Chunk): Promise<Progress> {
    const { bytes, offset, last, signal } = chunk;
    const end = offset + bytes.byteLength;
    const attempts = new Attempts(signal);
    for (let from = offset, asked = false; ;) {
      try {
        // after a failure it is asked first, with nothing in the body: what is there is not sent again
        const progress: Progress = asked ? await this.#query(chunk, end) : await this.#sendFrom(chunk, from, end);
        if ('stored' in progress) return progress;
        const { persistedBytes } = progress;
        if (!last && persistedBytes === end) return progress;
        if (persistedBytes < from || persistedBytes > end) throw lostBytes(this.#call, persistedBytes, from);
        if (persistedBytes > from) attempts.reset();
        // taken in part, or not at all: the rest, but not for ever
        else if (!asked) await attempts.again(gcsError('UNAVAILABLE', 'takes no more bytes', this.#call));
        asked = false;
        from = persistedBytes;
      } catch (error) {
        await attempts.again(error);
        asked = true;
      }
    }
  }

  #sendFrom({ bytes, offset, last, headers, signal }: Chunk, from: number, end: number): Promise<Progress> {
    const rest = bytes.subarray(from - offset);
    const total = last ? end : '*';
    const range = rest.byteLength === 0 ? `bytes */${total}` : `bytes ${from}-${end - 1}/${total}`;
    return this.#put(rest, range, headers, signal);
  }

  #query({ last, headers, signal }: Chunk, end: number): Promise<Progress> {
    return this.#put(Buffer.alloc(0), `bytes */${last ? end : '*'}`, headers, signal);
  }

  async #put(
    body: Buffer,
    contentRange: string,
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<Progress> {
    const answer = await this.#client
      .send(this.#call, {
        method: 'PUT',
        url: this.#url,
        headers: { 'content-range': contentRange, ...headers },
        body: [body],
        pool: 'uploads',
        alsoGood: [INCOMPLETE],
        anonymous: true,
        signal,
      })
      .catch((error: unknown) => {
        throw sessionError(error, this.#call);
      });
    if (answer.status !== INCOMPLETE) {
      return { stored: await this.#client.read(this.#call, signal, answer, objectResource) };
    }
    answer.body.resume();
    const [, lastByte] = /^bytes=0-(\d+)$/.exec(answer.headers.get('range') ?? '') ?? [];
    return { persistedBytes: lastByte === undefined ? 0 : Number(lastByte) + 1 };
  }
}

/** On the server that the session was asked of: whatever it believes to be called, the bytes go nowhere else. */
function sessionUrl(client: GcsClient, call: GcsCall, { headers, status }: GcsAnswer): URL {
  const location = headers.get('location') ?? '';
  if (!URL.canParse(location, client.endpoint)) {
    const strange = 'is not served there: an upload was accepted without a place. Look at the option endpoint';
    throw gcsError('INVALID_CONFIG', strange, call, { httpStatus: status });
  }
  const { pathname, search } = new URL(location, client.endpoint);
  return new URL(pathname + search, client.endpoint);
}

function sessionError(error: unknown, call: GcsCall): unknown {
  if (!StorageError.is(error) || (error.httpStatus !== 404 && error.httpStatus !== 410)) return error;
  if (error.code === 'INVALID_CONFIG' && /bucket/.test(error.message)) return error;
  return gcsError('UNAVAILABLE', 'has lost the unfinished upload: put it again', call, {
    httpStatus: error.httpStatus,
    requestId: error.requestId,
    retry: 'safe',
    cause: error,
  });
}

function lostBytes(call: GcsCall, persistedBytes: number, from: number): StorageError {
  return gcsError('UNAVAILABLE', 'has lost bytes of the unfinished upload: put it again', call, {
    quoted: `it has ${persistedBytes}, sent were ${from}`,
  });
}
