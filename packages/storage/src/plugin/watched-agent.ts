import { Agent } from 'node:http';
import { Agent as TlsAgent } from 'node:https';
import { Socket } from 'node:net';

const CONNECT_MS = 10_000;

export interface WatchedAgentOptions {
  readonly tls: boolean;
  /** Longest silence of a connection that is in use, either way, milliseconds. */
  readonly idleMs: number;
  /** What the request fails with then; `what` says what happened. */
  readonly stalled: (what: string) => Error;
  /** What it fails with when no connection comes about within 10 s. */
  readonly notConnected: (what: string) => Error;
}

/**
 * Connections of one store for one purpose, kept alive. `timeout` of Node's agents only tells: here it ends the connection.
 *
 * Node also shortens the time-out of a connection that waits for its next request to what the server's `Keep-Alive` header
 * says (5 s in every server on Node) and leaves it so when the next request comes: a part that takes longer than that to
 * upload would fail. Here each request begins with the whole time.
 */
export function watchedAgent({ tls, idleMs, stalled, notConnected }: WatchedAgentOptions): Agent {
  const agent = new (tls ? TlsAgent : Agent)({ keepAlive: true, timeout: idleMs });
  const connect = agent.createConnection.bind(agent);
  agent.createConnection = (target, callback) => {
    const socket = connect(target, callback);
    if (!(socket instanceof Socket)) return socket;
    const late = setTimeout(() => {
      socket.destroy(notConnected(`no connection within ${CONNECT_MS / 1000} s`));
    }, CONNECT_MS);
    const arrived = (): void => clearTimeout(late);
    socket.once(tls ? 'secureConnect' : 'connect', arrived).once('close', arrived);
    socket.on('timeout', () => {
      // who reads slowly, or not at all for a while, is no silent server
      if (!socket.isPaused()) socket.destroy(stalled(`nothing was sent or received for ${idleMs} ms`));
    });
    return socket;
  };
  const reuse = agent.reuseSocket.bind(agent);
  agent.reuseSocket = (socket, request) => {
    reuse(socket, request);
    if (socket instanceof Socket) socket.setTimeout(idleMs);
  };
  return agent;
}
