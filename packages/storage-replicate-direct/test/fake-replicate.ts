import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What Replicate's API says to a token it does not know (recorded). */
const UNAUTHENTICATED = {
  title: 'Unauthenticated',
  detail: 'You did not pass a valid authentication token',
  status: 401,
};

export interface ApiAnswer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

export interface ApiRequest {
  readonly path: string;
  readonly search: URLSearchParams;
  readonly authorization: string | undefined;
  /** `Date.now()` */
  readonly at: number;
}

export interface FakeReplicate {
  readonly origin: string;
  readonly requests: readonly ApiRequest[];
  /** Answered by `GET /v1/predictions/{id}` and listed newest first, `pageSize` a page. */
  readonly predictions: Map<string, Record<string, unknown>>;
  pageSize: number;
  /** The next requests get these answers instead, in order. */
  answerNext(...answers: readonly (ApiAnswer | 'hang' | 'reset')[]): void;
  close(): Promise<void>;
}

/** Replicate's API on 127.0.0.1, as far as this package uses it. */
export async function startFakeReplicate(token: string): Promise<FakeReplicate> {
  const requests: ApiRequest[] = [];
  const answers: (ApiAnswer | 'hang' | 'reset')[] = [];
  const predictions = new Map<string, Record<string, unknown>>();
  const fake = { pageSize: 100 };
  let origin = '';

  const answerTo = ({ path, search, authorization }: ApiRequest): ApiAnswer => {
    if (authorization !== `Bearer ${token}`) return { status: 401, body: UNAUTHENTICATED };
    const id = /^\/v1\/predictions\/([^/]+)$/.exec(path)?.[1];
    if (id !== undefined) {
      const prediction = predictions.get(id);
      return prediction ? { status: 200, body: prediction } : { status: 404, body: { detail: 'Prediction not found' } };
    }
    if (path !== '/v1/predictions') return { status: 404, body: { detail: 'Not found' } };
    const after = Date.parse(search.get('created_after') ?? '1970-01-01T00:00:00Z');
    const newest = [...predictions.values()]
      .filter(({ created_at }) => Date.parse(String(created_at)) > after)
      .sort((a, b) => String(b.created_at).localeCompare(String(a.created_at)));
    const start = Number(search.get('cursor') ?? 0);
    const end = start + fake.pageSize;
    const nextPage = new URL(path, origin);
    nextPage.search = search.toString();
    nextPage.searchParams.set('cursor', String(end));
    const next = end < newest.length ? nextPage.href : null;
    return { status: 200, body: { previous: null, next, results: newest.slice(start, end) } };
  };

  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', origin);
    const asked = {
      path: url.pathname,
      search: url.searchParams,
      authorization: request.headers.authorization,
      at: Date.now(),
    };
    requests.push(asked);
    const answer = answers.shift() ?? answerTo(asked);
    if (answer === 'hang') return;
    if (answer === 'reset') {
      request.socket.resetAndDestroy();
      return;
    }
    const { status, headers = {}, body = {} } = answer;
    response
      .writeHead(status, { 'content-type': 'application/json', 'ratelimit-reset': '1', ...headers })
      .end(typeof body === 'string' ? body : JSON.stringify(body));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  return Object.assign(fake, {
    origin,
    requests,
    predictions,
    answerNext: (...next: readonly (ApiAnswer | 'hang' | 'reset')[]) => void answers.push(...next),
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  });
}
