import { dataFolder } from './data-folder.ts';
import { type Emulator, type EmulatorOptions, startEmulator } from './emulator.ts';
import type { FirebaseSettings } from './firebase-storage-script.ts';
import { startServer } from './server-process.ts';

export interface GcsEmulator extends Emulator {
  readonly projectId: string;
  /** @throws Error when the server refuses */
  createBucket(name: string): Promise<void>;
}

/** `demo-`: what firebase-tools never asks Google about. */
const PROJECT_ID = 'demo-paradoxon';

/**
 * Google Cloud Storage by the storage emulator of firebase-tools. Google's client finds it by `STORAGE_EMULATOR_HOST` only,
 * which is the endpoint. It knows no preconditions, no missing bucket and no signature, and hangs on a resumable upload in
 * more than one chunk.
 *
 * @throws Error when the npm servers are not installed, or the server does not come up
 */
export async function startFirebaseStorage(options: EmulatorOptions = {}): Promise<GcsEmulator> {
  const folder = await dataFolder('firebase', options.folder);
  const emulator = await startEmulator(
    (port) => {
      const settings: FirebaseSettings = { port, folder: folder.path, projectId: PROJECT_ID };
      return startServer('The storage emulator of firebase-tools', 'firebase-storage-script', settings);
    },
    folder.discard,
    options.port,
  );
  const endpoint = `http://127.0.0.1:${emulator.port}`;
  return {
    ...emulator,
    endpoint,
    projectId: PROJECT_ID,
    async createBucket(name) {
      // it has no call for that: a bucket begins with the first request that names it
      const answer = await fetch(`${endpoint}/storage/v1/b/${encodeURIComponent(name)}/o?maxResults=1`);
      if (!answer.ok) throw new Error(`The bucket ${name} was refused: HTTP ${answer.status} ${await answer.text()}`);
      await answer.body?.cancel();
    },
  };
}
