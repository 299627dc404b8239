import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type RequestListener } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** A throw-away authority, made for these tests; its key does not exist any more. */
export const ca = readFileSync(new URL('./fixtures/ca.crt', import.meta.url), 'utf8');
const tlsOptions = {
  cert: readFileSync(new URL('./fixtures/server.crt', import.meta.url)),
  key: readFileSync(new URL('./fixtures/server.key', import.meta.url)),
};

export interface Origin {
  readonly port: number;
  readonly url: (path?: string, host?: string) => string;
  /** The addresses at which TCP connections arrived, in order. */
  readonly connections: string[];
  readonly open: Set<Socket>;
  readonly requests: Pick<IncomingMessage, 'method' | 'url' | 'headers'>[];
  close(): Promise<void>;
}

/** A server that counts what reaches it. Without `host` it listens on every address there is. */
export async function startOrigin(
  handler: RequestListener = (_, response) => response.end('hello'),
  { tls = false, host }: { tls?: boolean; host?: string } = {},
): Promise<Origin> {
  const requests: Origin['requests'] = [];
  const listener: RequestListener = (request, response) => {
    requests.push({ method: request.method, url: request.url, headers: request.headers });
    handler(request, response);
  };
  const server = tls ? createTlsServer(tlsOptions, listener) : createServer(listener);
  const connections: string[] = [];
  const open = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    connections.push((socket.localAddress ?? '').replace('::ffff:', ''));
    open.add(socket);
    socket.on('close', () => open.delete(socket));
    // clients that go away in the middle are the point of these tests
    socket.on('error', () => {});
  });
  server.on('tlsClientError', () => {});
  server.listen(0, host);
  await once(server, 'listening');

  const { port } = server.address() as AddressInfo;
  return {
    port,
    url: (path = '/', name = '127.0.0.1') => `${tls ? 'https' : 'http'}://${name}:${port}${path}`,
    connections,
    open,
    requests,
    async close() {
      server.close();
      server.closeAllConnections();
      for (const socket of open) socket.destroy();
      await once(server, 'close');
    },
  };
}

/** Waits until the server sees no connection any more. */
export async function allClosed(origin: Origin): Promise<void> {
  const deadline = Date.now() + 2000;
  while (origin.open.size > 0 && Date.now() < deadline) await sleep(5);
  if (origin.open.size > 0) throw new Error(`${origin.open.size} connections are still open.`);
}

/** Closes after each test what that test opened. */
export class Cleanup {
  readonly #closers: (() => Promise<unknown>)[] = [];

  add<T extends { close(): Promise<unknown> }>(thing: T): T {
    this.#closers.push(() => thing.close());
    return thing;
  }

  async run(): Promise<void> {
    for (const close of this.#closers.splice(0).reverse()) await close();
  }
}
