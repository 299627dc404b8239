import type { Server } from 'node:http';
import { serverModule } from './installation.ts';
import { serve, type ServerSettings } from './server-script.ts';

/** The few names of fauxqs 2.4 that are used here. */
interface App {
  readonly buildApp: (options: { readonly logger: false; readonly stores: { readonly s3Store: Store } }) => {
    readonly server: Server;
    listen(options: { readonly port: number; readonly host: string }): Promise<string>;
  };
}
interface Store {
  persistence?: Persistence;
}
interface Persistence {
  readonly db: { exec(sql: string): void };
  loadS3(store: Store): void;
}

// not its own `startFauxqs`, which listens on all addresses
await serve(async ({ port, folder }: ServerSettings) => {
  const { buildApp } = (await import(serverModule('fauxqs/dist/app.js'))) as App;
  const { S3Store } = (await import(serverModule('fauxqs/dist/s3/s3Store.js'))) as { S3Store: new () => Store };
  const { PersistenceManager } = (await import(serverModule('fauxqs/dist/persistence.js'))) as {
    PersistenceManager: new (folder: string) => Persistence;
  };
  const persistence = new PersistenceManager(folder);
  // a killed process loses nothing that the system has; only a power cut would
  persistence.db.exec('PRAGMA synchronous = OFF');
  const s3Store = new S3Store();
  persistence.loadS3(s3Store);
  // after it has loaded: otherwise it writes again what it reads
  s3Store.persistence = persistence;

  const app = buildApp({ logger: false, stores: { s3Store } });
  await app.listen({ port, host: '127.0.0.1' });
  return { server: app.server };
});
