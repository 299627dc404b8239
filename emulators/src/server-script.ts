import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What a server's script is started with, as JSON. */
export interface ServerSettings {
  /** 0: a free one. */
  readonly port: number;
  /** Absolute; all it writes goes here. */
  readonly folder: string;
}

/** Drop all connections, save, say so. */
export type ToServer = 'die';
export type FromServer =
  { readonly kind: 'ready'; readonly port: number } | { readonly kind: 'saved'; readonly port: number };

export interface Serving {
  readonly server: Server;
  /** Writes down what is in memory only, for servers that do not do so by themselves before they answer. */
  readonly save?: () => void | Promise<void>;
}

/** The main function of a server's script. The process ends with its parent, whatever that one dies of. */
export async function serve<Settings extends ServerSettings>(
  start: (settings: Settings) => Promise<Serving>,
): Promise<void> {
  process.once('disconnect', () => process.exit());
  const { server, save } = await start(JSON.parse(process.argv[2] ?? '') as Settings);
  const { port } = server.address() as AddressInfo;

  async function die(): Promise<void> {
    // first: what is answered from now on would not be saved
    server.close();
    server.closeAllConnections();
    await save?.();
  }

  const tell = (message: FromServer) => process.send?.(message);
  process.on('message', (_: ToServer) => void die().then(() => tell({ kind: 'saved', port })));
  process.once('SIGTERM', () => void die().then(() => process.exit()));
  tell({ kind: 'ready', port });
}
