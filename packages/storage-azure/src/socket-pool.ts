import { Agent as HttpAgent, type ClientRequestArgs } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import type { Duplex } from 'node:stream';
import { Socket } from 'node:net';

const CONNECT_MS = 10_000;

/** No bytes in either direction for too long. Its code is none of those that the SDK repeats a request for. */
export const IDLE = 'ERR_PARADOXON_IDLE';
/** No connection within 10 s. */
export const NOT_CONNECTED = 'ETIMEDOUT';

/** Connections of one store for one purpose: transfers never wait behind questions, and stores never share any. */
export class SocketPool {
  readonly #http: HttpAgent;
  readonly #https: HttpsAgent;

  /** @param idleMs longest silence on a connection that has something to do */
  constructor(idleMs: number) {
    const options = { keepAlive: true, timeout: idleMs };
    this.#http = new WatchedHttpAgent(options);
    this.#https = new WatchedHttpsAgent(options);
  }

  agentFor(url: string): HttpAgent {
    return url.startsWith('https:') ? this.#https : this.#http;
  }

  destroy(): void {
    this.#http.destroy();
    this.#https.destroy();
  }
}

type Connected = (error: Error | null, stream: Duplex) => void;

class WatchedHttpAgent extends HttpAgent {
  override createConnection(options: ClientRequestArgs, connected?: Connected): Duplex | null | undefined {
    return watched(super.createConnection(options, connected), 'connect');
  }
}

class WatchedHttpsAgent extends HttpsAgent {
  override createConnection(options: ClientRequestArgs, connected?: Connected): Duplex | null | undefined {
    return watched(super.createConnection(options, connected), 'secureConnect');
  }
}

function watched(socket: Duplex | null | undefined, ready: string): typeof socket {
  if (!(socket instanceof Socket)) return socket;
  const connecting = setTimeout(() => {
    socket.destroy(coded(NOT_CONNECTED, `No connection within ${CONNECT_MS / 1000} s.`));
  }, CONNECT_MS);
  socket.once(ready, () => clearTimeout(connecting));
  socket.once('close', () => clearTimeout(connecting));
  socket.on('timeout', () => {
    // who reads slowly, or not at all for a while, is no silent server
    if (socket.isPaused()) return;
    socket.destroy(coded(IDLE, `Nothing has moved on the connection for ${socket.timeout ?? 0} ms.`));
  });
  return socket;
}

const coded = (code: string, message: string): Error => Object.assign(new Error(message), { code });
