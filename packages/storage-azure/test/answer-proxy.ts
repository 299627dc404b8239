import { createServer, type IncomingMessage, request as forward, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** What becomes of one request on its way to Azurite. */
export interface Treatment {
  /** Azurite is not asked. `code` becomes Azure's error, as a header and as XML. */
  readonly answer?: { status: number; code?: string; message?: string; headers?: Record<string, string> };
  /** Azurite does its work, and nobody is told. */
  readonly loseAnswer?: true;
  /** The connection breaks before Azurite is asked. */
  readonly break?: true;
  /** Neither asked nor answered. */
  readonly silence?: true;
  /** To be waited for before Azurite is asked. */
  readonly before?: () => Promise<unknown>;
  /** To be waited for before its answer is passed on. */
  readonly after?: () => Promise<unknown>;
  readonly withoutHeader?: string;
  readonly addToQuery?: string;
  readonly changeBody?: (body: Buffer) => Buffer;
  readonly changeAnswer?: (headers: Record<string, string | string[] | undefined>) => void;
  /** Bytes of the answer's body that get through. */
  readonly cutAfter?: number;
  readonly stallAfter?: number;
  /** The request is taken in pieces of so many bytes, with a pause of 50 ms between them. */
  readonly takeSlowly?: number;
}

export interface SeenRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  /** `put`, `block`, `blocklist`, `get`, `head`, `delete`, `list`, … */
  readonly kind: string;
}

export interface AnswerProxy {
  /** Azurite's endpoint with the proxy in its place. */
  readonly endpoint: string;
  readonly seen: readonly SeenRequest[];
  readonly kinds: () => string[];
  readonly openConnections: () => Promise<number>;
  /** Looks at every request from now on; `undefined` lets it pass. */
  readonly treat: (treatment: (request: SeenRequest, nth: number) => Treatment | undefined) => void;
  readonly close: () => Promise<void>;
}

/** An HTTP proxy that stands before Azurite and does to single requests what a network, or Azure on a bad day, would do. */
export async function startAnswerProxy(endpoint: string): Promise<AnswerProxy> {
  const target = new URL(endpoint);
  const seen: SeenRequest[] = [];
  let treatment: (request: SeenRequest, nth: number) => Treatment | undefined = () => undefined;

  const handle = async (incoming: IncomingMessage, response: ServerResponse): Promise<void> => {
    const request = describe(incoming);
    seen.push(request);
    const nth = seen.filter(({ kind }) => kind === request.kind).length;
    const what = treatment(request, nth) ?? {};
    if (what.silence) return;
    if (what.break) return void incoming.socket.resetAndDestroy();
    const sent = await bodyOf(incoming, what.takeSlowly);
    if (what.answer) return refuse(response, what.answer, request.method === 'HEAD');
    await what.before?.();
    const body = what.changeBody?.(sent) ?? sent;
    const { status, headers, bytes } = await ask(target, request, body, what);
    await what.after?.();
    if (what.loseAnswer) return void incoming.socket.resetAndDestroy();
    what.changeAnswer?.(headers);
    response.writeHead(status, headers);
    if (what.cutAfter === undefined && what.stallAfter === undefined) return void response.end(bytes);
    response.write(bytes.subarray(0, what.cutAfter ?? what.stallAfter));
    if (what.cutAfter === undefined) return;
    await sleep(30);
    incoming.socket.resetAndDestroy();
  };
  const server = createServer((incoming, response) => {
    handle(incoming, response).catch(() => incoming.socket.destroy());
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const { port } = server.address() as AddressInfo;
  return {
    endpoint: `http://127.0.0.1:${port}${target.pathname}`,
    seen,
    kinds: () => seen.map(({ kind }) => kind),
    openConnections: () =>
      new Promise((resolve, reject) => {
        server.getConnections((error, count) => (error ? reject(error) : resolve(count)));
      }),
    treat: (next) => {
      treatment = next;
    },
    close: () =>
      new Promise((closed) => {
        server.close(() => closed());
        server.closeAllConnections();
      }),
  };
}

function describe({ method = '', url = '', headers }: IncomingMessage): SeenRequest {
  const { searchParams } = new URL(url, 'http://proxy');
  const kind = searchParams.get('comp') ?? method.toLowerCase();
  return { method, url, headers, kind: kind === 'blocklist' && method === 'GET' ? 'blocks' : kind };
}

async function bodyOf(incoming: IncomingMessage, slowly = Infinity): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let since = 0;
  for await (const chunk of incoming as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    since += chunk.byteLength;
    if (since < slowly) continue;
    since = 0;
    await sleep(50);
  }
  return Buffer.concat(chunks);
}

interface Answer {
  readonly status: number;
  readonly headers: Record<string, string | string[] | undefined>;
  readonly bytes: Buffer;
}

function ask(target: URL, { method, url, headers }: SeenRequest, body: Buffer, what: Treatment): Promise<Answer> {
  const { [what.withoutHeader ?? '']: _, ...rest } = headers;
  const path = what.addToQuery === undefined ? url : `${url}&${what.addToQuery}`;
  return new Promise((resolve, reject) => {
    const { hostname, port } = target;
    forward({ hostname, port, method, path, headers: { ...rest, connection: 'close' }, agent: false }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('error', reject);
      answer.on('end', () => {
        const { connection: _hop, 'transfer-encoding': chunked, ...kept } = answer.headers;
        const bytes = Buffer.concat(chunks);
        // a HEAD tells the length of what a GET would give
        const length = chunked === undefined ? {} : { 'content-length': String(bytes.byteLength) };
        resolve({ status: answer.statusCode ?? 0, headers: { ...kept, ...length }, bytes });
      });
    })
      .on('error', reject)
      .end(body);
  });
}

function refuse(response: ServerResponse, answer: NonNullable<Treatment['answer']>, isHead: boolean): void {
  const { status, code, message = 'No.', headers = {} } = answer;
  const xml = `<?xml version="1.0" encoding="utf-8"?><Error><Code>${code}</Code><Message>${message}</Message></Error>`;
  response.writeHead(status, {
    'x-ms-request-id': 'canned-1',
    ...(code === undefined ? {} : { 'x-ms-error-code': code, 'content-type': 'application/xml' }),
    ...headers,
  });
  response.end(isHead || code === undefined ? undefined : xml);
}
