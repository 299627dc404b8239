import type { Agent } from 'node:http';
import { StorageError } from '@paradoxon/storage';
import { watchedAgent } from '@paradoxon/storage/plugin';

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
    const agent = (): Agent =>
      watchedAgent({
        tls,
        idleMs,
        stalled: (what) => new StorageError('STALLED', what),
        notConnected: (what) => new StorageError('TIMEOUT', what),
      });
    this.#agents = { calls: agent(), uploads: agent(), downloads: agent() };
  }

  agent(pool: PoolName): Agent {
    return this.#agents[pool];
  }

  /** Cuts every connection. */
  destroy(): void {
    for (const agent of Object.values(this.#agents)) agent.destroy();
  }
}
