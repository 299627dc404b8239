import { isPortTaken } from './free-port.ts';
import type { Run } from './run.ts';

/** A storage server in a process of its own, on 127.0.0.1 only. It ends when the process that started it does. */
export interface Emulator {
  /** What a client is pointed at: `http://127.0.0.1:<port>`; Azurite's ends in `/devstoreaccount1`. */
  readonly endpoint: string;
  readonly port: number;
  /** Ends it in order (SIGTERM, after 5 s SIGKILL), waits until it is gone, removes its temporary folder. It cannot be started again. */
  stop(): Promise<void>;
  /** The cloud dies: connections break, SIGKILL, gone. What it has confirmed is still there after {@link restart}. */
  kill(): Promise<void>;
  /** Starts it again on the same port, over the same data; one that is running is ended before. */
  restart(): Promise<void>;
}

export interface EmulatorOptions {
  /** Default 0: a free one. */
  readonly port?: number;
  /** The data is kept here, also after `stop`, for whoever starts the server over it again. Default: a temporary folder. */
  readonly folder?: string;
}

/** How long a server may need for the port that it had before it was killed to be free again, ms. */
const PORT_MS = 10_000;

/**
 * The part of an emulator that is the same for all servers. Calls are carried out one after the other.
 *
 * @param start begins a life of the server; 0 is any free port
 * @param discard when nobody needs it any more: after `stop`, or when the first start fails
 */
export async function startEmulator(
  start: (port: number) => Promise<Run>,
  discard: () => Promise<void>,
  wantedPort = 0,
): Promise<Omit<Emulator, 'endpoint'>> {
  let run = await start(wantedPort).catch(async (error: unknown) => {
    await discard();
    throw error;
  });
  const { port } = run;
  let stopped = false;

  async function startAgain(): Promise<Run> {
    for (const giveUp = Date.now() + PORT_MS; ;) {
      try {
        return await start(port);
      } catch (error) {
        // somebody's outgoing connection may have been given our port in the meantime
        if (!isPortTaken(error) || Date.now() > giveUp) throw error;
      }
    }
  }

  let last = Promise.resolve();
  const inTurn = (act: () => Promise<void>) => (last = last.then(act, act));

  return {
    port,
    stop: () =>
      inTurn(async () => {
        if (stopped) return;
        stopped = true;
        await run.stop();
        await discard();
      }),
    kill: () => inTurn(() => run.kill()),
    restart: () =>
      inTurn(async () => {
        if (stopped) throw new Error('It was stopped, and its data is gone: start a new one.');
        await run.stop();
        run = await startAgain();
      }),
  };
}
