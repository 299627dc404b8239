import { addAbortListener } from 'node:events';
import { type Readable } from 'node:stream';
import { type Dispatcher, request } from 'undici';
import { FetchError } from './fetch-error.ts';
import { type Hop } from './redirect.ts';

export interface RequestOptions {
  readonly method?: 'GET' | 'HEAD' | 'POST';
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly signal?: AbortSignal;
}

export interface RawAnswer {
  readonly status: number;
  /** Lower-case names; repeated ones joined by ', '. */
  readonly headers: Readonly<Record<string, string>>;
  readonly url: URL;
  /** Not watched yet. */
  readonly body: Readable;
}

/**
 * Sends one request and waits for the headers of its answer, whatever they say.
 * @param headersTimeoutMs from now to the headers, connecting included
 * @throws FetchError `TIMEOUT`, `ABORTED`, `NETWORK`, or what the connector says
 */
export async function oneRequest(
  { url, headers }: Hop,
  { method = 'GET', body, signal }: Omit<RequestOptions, 'headers'>,
  dispatcher: Dispatcher,
  headersTimeoutMs: number,
): Promise<RawAnswer> {
  const aborted = (): FetchError => new FetchError('ABORTED', 'Aborted by the caller.', { url, cause: signal?.reason });
  if (signal?.aborted) throw aborted();

  const cancel = new AbortController();
  const timer = setTimeout(() => {
    cancel.abort(new FetchError('TIMEOUT', `No answer within ${headersTimeoutMs} ms.`, { url }));
  }, headersTimeoutMs);
  const link = signal && addAbortListener(signal, () => cancel.abort(aborted()));
  try {
    const answer = await Promise.race([
      // accept-encoding last: the bytes are wanted as they are stored
      request(url, {
        dispatcher,
        method,
        headers: { ...headers, 'accept-encoding': 'identity' },
        ...(body === undefined ? {} : { body }),
        signal: cancel.signal,
      }),
      // undici looks at the signal only once it is connected
      rejection(cancel.signal),
    ]);
    // until the body is closed, an abort destroys it with our error
    answer.body.once('close', () => link?.[Symbol.dispose]());
    return { status: answer.statusCode, headers: flatten(answer.headers), url, body: answer.body };
  } catch (error) {
    link?.[Symbol.dispose]();
    throw asFetchError(error, url);
  } finally {
    clearTimeout(timer);
  }
}

function rejection(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as FetchError), { once: true });
  });
}

function flatten(headers: Readonly<Record<string, string | string[] | undefined>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value = '']) => [name, Array.isArray(value) ? value.join(', ') : value]),
  );
}

function asFetchError(error: unknown, url: URL): FetchError {
  if (error instanceof FetchError) {
    // the connector knows the host only
    return error.url === undefined ? new FetchError(error.code, error.message, { url, cause: error.cause }) : error;
  }
  const { code, message } = error as { code?: string; message?: string };
  const details = { url, cause: error };
  switch (code) {
    case 'UND_ERR_CONNECT_TIMEOUT':
    case 'ETIMEDOUT':
      return new FetchError('TIMEOUT', 'No connection in time.', details);
    case 'UND_ERR_DESTROYED':
    case 'UND_ERR_CLOSED':
      return new FetchError('ABORTED', 'This SafeFetch is closed.', details);
    case 'UND_ERR_INVALID_ARG':
      return new FetchError('UNSUPPORTED', `Such a request cannot be sent: ${message}.`, details);
    default:
      // when every address of a name fails, the message is empty and the code is not
      return new FetchError('NETWORK', message || code || 'The connection failed.', details);
  }
}
