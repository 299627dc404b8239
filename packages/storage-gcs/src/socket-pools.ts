import { Agent } from 'node:http';
import { Agent as TlsAgent } from 'node:https';
import { StorageError } from '@paradoxon/storage';

const CONNECT_TIMEOUT_MS = 10_000;

/** What a request is for: none of them waits for a connection of another kind. */
export type PoolName = 'calls' | 'uploads' | 'downloads';

/** The connections of one store, which no other store shares. */
export class SocketPools {
  readonly #agents: Readonly<Record<PoolName, Agent>>;

  /**
   * @param tls whether the endpoint is https
   * @param idleMs of silence, either way, that end a connection before its answer begins. Behind that the client itself
   *   switches the watch off: a viewer who pauses makes a connection silent that is well
   */
  constructor(tls: boolean, idleMs: number) {
    this.#agents = {
      calls: watchedAgent(tls, idleMs),
      uploads: watchedAgent(tls, idleMs),
      downloads: watchedAgent(tls, idleMs),
    };
  }

  agent(pool: PoolName): Agent {
    return this.#agents[pool];
  }

  /** Cuts every connection. */
  destroy(): void {
    for (const agent of Object.values(this.#agents)) agent.destroy();
  }
}

/** `timeout` of Node's agents only tells: here it ends the connection, and so does a connection that never comes about. */
function watchedAgent(tls: boolean, idleMs: number): Agent {
  const options = { keepAlive: true, timeout: idleMs };
  const agent = tls ? new TlsAgent(options) : new Agent(options);
  const connect = agent.createConnection.bind(agent);
  agent.createConnection = (target, callback) => {
    const socket = connect(target, callback);
    if (!socket) return socket;
    const late = setTimeout(() => {
      socket.destroy(new StorageError('TIMEOUT', `no connection within ${CONNECT_TIMEOUT_MS} ms`));
    }, CONNECT_TIMEOUT_MS);
    const arrived = (): void => clearTimeout(late);
    socket.once(tls ? 'secureConnect' : 'connect', arrived).once('close', arrived);
    socket.on('timeout', () => {
      socket.destroy(new StorageError('STALLED', `nothing was sent or received for ${idleMs} ms`));
    });
    return socket;
  };
  return agent;
}
