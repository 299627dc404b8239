import type { Server } from 'node:http';
import { serverModule } from './installation.ts';
import { serve, type ServerSettings } from './server-script.ts';

export interface AzuriteSettings extends ServerSettings {
  /** Files in PEM: then it speaks https, and accepts bearer tokens. */
  readonly tls?: { readonly cert: string; readonly key: string };
}

/** The few names of Azurite 3.37 that are used here. */
interface Factory {
  BlobServerFactory: new () => { createServer(environment: Environment): Promise<BlobServer> };
}
type Environment = Readonly<Record<string, () => unknown>>;
interface BlobServer {
  readonly httpServer: Server;
  readonly metadataStore: Store;
  readonly extentMetadataStore: Store;
  start(): Promise<void>;
}
interface Store {
  readonly db: { saveDatabase(done: (error?: Error | null) => void): void };
}

await serve(async ({ port, folder, tls }: AzuriteSettings) => {
  const { BlobServerFactory } = (await import(serverModule('azurite/dist/src/blob/BlobServerFactory.js'))) as Factory;
  // what its command line sets. Its telemetry is begun by its command line only
  const server = await new BlobServerFactory().createServer({
    blobHost: () => '127.0.0.1',
    blobPort: () => port,
    blobKeepAliveTimeout: () => undefined,
    location: () => Promise.resolve(folder),
    debug: () => Promise.resolve(undefined),
    inMemoryPersistence: () => false,
    extentMemoryLimit: () => undefined,
    silent: () => true,
    loose: () => false,
    // it knows the API up to 2025: today's SDKs are refused otherwise
    skipApiVersionCheck: () => true,
    cert: () => tls?.cert,
    key: () => tls?.key,
    pwd: () => undefined,
    oauth: () => (tls ? 'basic' : undefined),
    disableProductStyleUrl: () => false,
  });
  await server.start();
  return {
    server: server.httpServer,
    // its index is saved every five seconds only
    save: async () => {
      await Promise.all([server.metadataStore, server.extentMetadataStore].map(saved));
    },
  };
});

const saved = ({ db }: Store): Promise<void> =>
  new Promise((resolve, reject) => db.saveDatabase((error) => (error ? reject(error) : resolve())));
