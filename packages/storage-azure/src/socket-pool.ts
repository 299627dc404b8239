import type { Agent } from 'node:http';
import { watchedAgent } from '@paradoxon/storage/plugin';

/** No bytes in either direction for too long. Its code is none of those that the SDK repeats a request for. */
export const IDLE = 'ERR_PARADOXON_IDLE';
/** No connection in time. */
export const NOT_CONNECTED = 'ETIMEDOUT';

/** Connections of one store for one purpose: transfers never wait behind questions, and stores never share any. */
export class SocketPool {
  readonly #http: Agent;
  readonly #https: Agent;

  /** @param idleMs longest silence on a connection that has something to do */
  constructor(idleMs: number) {
    const errors = { stalled: coded(IDLE), notConnected: coded(NOT_CONNECTED) };
    this.#http = watchedAgent({ tls: false, idleMs, ...errors });
    this.#https = watchedAgent({ tls: true, idleMs, ...errors });
  }

  agentFor(url: string): Agent {
    return url.startsWith('https:') ? this.#https : this.#http;
  }

  destroy(): void {
    this.#http.destroy();
    this.#https.destroy();
  }
}

const coded =
  (code: string) =>
  (what: string): Error =>
    Object.assign(new Error(what), { code });
