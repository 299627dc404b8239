import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import { join } from 'node:path';
import { serverModule } from './installation.ts';
import { serve, type ServerSettings } from './server-script.ts';

export interface FirebaseSettings extends ServerSettings {
  readonly projectId: string;
}

/** The few names of firebase-tools 15.34 that are used here. */
interface StorageEmulator {
  readonly _files: Map<string, { readonly metadata: Metadata }>;
  readonly _persistence: { readonly _diskPathMap: Map<string, string> };
  readonly _cloudFunctions: unknown;
  readonly adminStorageLayer: { createBucket(name: string): void };
}
interface Metadata {
  readonly bucket: string;
}
interface Internals {
  readonly StorageEmulator: new (args: object) => StorageEmulator;
  readonly createApp: (projectId: string, emulator: StorageEmulator) => Promise<RequestListener>;
  readonly EmulatorRegistry: { set(emulator: 'storage', instance: object): void };
  readonly EmulatorLogger: { setVerbosity(silent: number): void };
  readonly StoredFile: new (metadata: Metadata) => { readonly metadata: Metadata };
  readonly StoredFileMetadata: {
    toJSON(metadata: Metadata): string;
    fromJSON(json: string, cloudFunctions: unknown): Metadata;
  };
}

/** One object: its place in the emulator's index, its file, its properties. */
type SavedObject = readonly [path: string, diskName: string, metadataJson: string];

const SILENT = 3;

// not its command line, and not its own `start`: both want Java, for security rules that a server's key never meets
await serve(async ({ port, folder, projectId }: FirebaseSettings) => {
  const from = async (path: string) =>
    ((await import(serverModule(`firebase-tools/lib/emulator/${path}.js`))) as { default: unknown }).default;
  const internals = Object.assign(
    {},
    ...(await Promise.all(
      ['storage/index', 'storage/server', 'registry', 'emulatorLogger', 'storage/files', 'storage/metadata'].map(from),
    )),
  ) as Internals;
  internals.EmulatorLogger.setVerbosity(SILENT);
  const emulator = new internals.StorageEmulator({ projectId, rules: [], auto_download: false });
  const server = createServer(await internals.createApp(projectId, emulator));

  const index = join(folder, 'index.json');
  function save(): void {
    const objects = [...emulator._files].map(([path, { metadata }]): SavedObject => {
      const diskName = emulator._persistence._diskPathMap.get(path) ?? '';
      return [path, diskName, internals.StoredFileMetadata.toJSON(metadata)];
    });
    writeFileSync(`${index}.new`, JSON.stringify(objects));
    renameSync(`${index}.new`, index);
  }
  function load(): void {
    if (!existsSync(index)) return;
    for (const [path, diskName, json] of JSON.parse(readFileSync(index, 'utf8')) as SavedObject[]) {
      const metadata = internals.StoredFileMetadata.fromJSON(json, emulator._cloudFunctions);
      emulator._files.set(path, new internals.StoredFile(metadata));
      emulator._persistence._diskPathMap.set(path, diskName);
      emulator.adminStorageLayer.createBucket(metadata.bucket);
    }
  }

  await new Promise<void>((listening, failed) => {
    server.once('error', failed).listen(port, '127.0.0.1', listening);
  });
  const { port: actual } = server.address() as { port: number };
  // for the links in its answers
  internals.EmulatorRegistry.set('storage', {
    getName: () => 'storage',
    getInfo: () => ({ name: 'storage', host: '127.0.0.1', port: actual }),
  });
  load();
  return { server, save };
});
