import { createServer, type IncomingHttpHeaders, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { crc32c } from '@node-rs/crc32';
import type { TestServer } from './servers.ts';

export interface SeenRequest {
  readonly method: string;
  /** With the query, as it was sent. */
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

export interface Canned {
  readonly status: number;
  readonly headers?: Record<string, string>;
  readonly body?: string;
}

/**
 * A test double: fauxqs, and in front of it what AWS documents and fauxqs has not, which is CRC32C of requests and of whole
 * objects, `If-None-Match` and `If-Match` of writes. It also remembers what it was asked, and gives answers that no server
 * here would give.
 */
export interface AwsLikeServer {
  readonly endpoint: string;
  readonly requests: SeenRequest[];
  /** Gives this answer instead, `times` times, to requests that match `METHOD /path?query`. */
  answer(to: RegExp, canned: Canned, times?: number): void;
  close(): Promise<void>;
}

export async function awsLikeServer({ emulator }: TestServer): Promise<AwsLikeServer> {
  const requests: SeenRequest[] = [];
  const plan: { to: RegExp; canned: Canned; left: number }[] = [];
  const checksums = new Map<string, string>();
  const parts = new Map<string, Map<number, Buffer>>();
  let turn: Promise<unknown> = Promise.resolve();

  const forward = (seen: SeenRequest): Promise<IncomingMessage> =>
    new Promise((resolve, reject) => {
      const { method, url, headers, body } = seen;
      const { 'if-none-match': _none, ...rest } = headers;
      request({ host: '127.0.0.1', port: emulator.port, method, path: url, headers: rest }, resolve)
        .on('error', reject)
        .end(body);
    });

  /** The answer of a refusal, if it is one. */
  async function refusal(seen: SeenRequest, path: string, query: URLSearchParams): Promise<Canned | undefined> {
    const { method, headers, body } = seen;
    const claimed = headers['x-amz-checksum-crc32c'];
    const upload = query.get('uploadId');
    const bytes = method === 'POST' && upload !== null ? wholeOf(parts.get(upload)) : body;
    if (claimed !== undefined && claimed !== base64Of(bytes)) return errorOf(400, 'BadDigest');
    const condition = headers['if-none-match'] ?? (method === 'DELETE' ? headers['if-match'] : undefined);
    if (condition === undefined || method === 'GET') return undefined;
    const head = await forward({ method: 'HEAD', url: path, headers: {}, body: Buffer.alloc(0) });
    head.resume();
    const holds = condition === '*' ? head.statusCode === 404 : head.headers.etag === condition;
    return holds ? undefined : errorOf(412, 'PreconditionFailed');
  }

  async function handle(seen: SeenRequest, response: ServerResponse): Promise<void> {
    const { method, url, headers, body } = seen;
    const canned = plan.find(({ to, left }) => left > 0 && to.test(`${method} ${url}`));
    if (canned) {
      canned.left -= 1;
      return give(response, canned.canned);
    }
    const [path = '', search] = url.split('?');
    const query = new URLSearchParams(search);
    const upload = query.get('uploadId');
    const refused = await refusal(seen, path, query);
    if (refused) return give(response, refused);

    const answer = await forward(seen);
    const ok = (answer.statusCode ?? 500) < 300;
    const added: Record<string, string> = {};
    let xml: string | undefined;
    if (ok && method === 'PUT' && upload !== null) {
      const own = parts.get(upload) ?? new Map<number, Buffer>();
      parts.set(upload, own.set(Number(query.get('partNumber')), body));
    } else if (ok && method === 'PUT' && headers['x-amz-checksum-crc32c'] !== undefined) {
      checksums.set(path, base64Of(body));
      added['x-amz-checksum-crc32c'] = base64Of(body);
    } else if (ok && method === 'POST' && upload !== null && headers['x-amz-checksum-crc32c'] !== undefined) {
      const value = base64Of(wholeOf(parts.get(upload)));
      checksums.set(path, value);
      const sum = `<ChecksumCRC32C>${value}</ChecksumCRC32C><ChecksumType>FULL_OBJECT</ChecksumType>`;
      xml = (await buffer(answer)).toString().replace('</Complete', `${sum}</Complete`);
    } else if (ok && headers['x-amz-checksum-mode'] === 'ENABLED' && headers.range === undefined) {
      const value = checksums.get(path);
      if (value !== undefined)
        Object.assign(added, { 'x-amz-checksum-crc32c': value, 'x-amz-checksum-type': 'FULL_OBJECT' });
    }
    const { 'content-length': length, ...kept } = answer.headers;
    response.writeHead(answer.statusCode ?? 500, {
      ...kept,
      ...(xml === undefined ? (length === undefined ? {} : { 'content-length': length }) : {}),
      ...added,
    });
    if (xml !== undefined) response.end(xml);
    else answer.on('error', () => response.destroy()).pipe(response);
  }

  const server = createServer((incoming, response) => {
    buffer(incoming)
      .then((body) => {
        const { method = '', url = '', headers } = incoming;
        const seen = { method, url, headers, body };
        requests.push(seen);
        // writes one after the other: of two conditions on one key, one holds
        const handled =
          method === 'GET' || method === 'HEAD' ? handle(seen, response) : turn.then(() => handle(seen, response));
        if (method !== 'GET' && method !== 'HEAD') turn = handled.catch(() => undefined);
        return handled;
      })
      // the client has gone, or fauxqs: there is nobody to answer
      .catch(() => response.destroy());
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const { port } = server.address() as AddressInfo;
  return {
    endpoint: `http://127.0.0.1:${port}`,
    requests,
    answer: (to, canned, times = 1) => void plan.push({ to, canned, left: times }),
    close: () =>
      new Promise((closed) => {
        server.close(() => closed());
        server.closeAllConnections();
      }),
  };
}

/** An S3 error, as a server sends it. */
export const errorOf = (status: number, code: string, more = ''): Canned => ({
  status,
  headers: { 'content-type': 'application/xml', 'x-amz-request-id': 'REQUEST1' },
  body: `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>${code} it is.</Message>${more}</Error>`,
});

function give(response: ServerResponse, { status, headers = {}, body = '' }: Canned): void {
  response.writeHead(status, { ...headers, 'content-length': Buffer.byteLength(body) }).end(body);
}

const wholeOf = (own: Map<number, Buffer> = new Map()): Buffer =>
  Buffer.concat([...own].sort(([a], [b]) => a - b).map(([, bytes]) => bytes));

export function base64Of(bytes: Uint8Array): string {
  const value = Buffer.alloc(4);
  value.writeUInt32BE(crc32c(bytes));
  return value.toString('base64');
}
