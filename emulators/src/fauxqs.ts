import { dataFolder } from './data-folder.ts';
import { type Emulator, type EmulatorOptions, startEmulator } from './emulator.ts';
import { startServer } from './server-process.ts';

export interface S3Emulator extends Emulator {
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/**
 * S3 by fauxqs: up within a second, for the quick loop. It takes any key and any signature, and ignores many conditions;
 * one body, of an object or of a part, has at most 11 MiB. Path-style addresses only.
 *
 * @throws Error when the npm servers are not installed, or the server does not come up
 */
export async function startFauxqs(options: EmulatorOptions = {}): Promise<S3Emulator> {
  const folder = await dataFolder('fauxqs', options.folder);
  const emulator = await startEmulator(
    (port) => startServer('fauxqs', 'fauxqs-script', { port, folder: folder.path }),
    folder.discard,
    options.port,
  );
  return {
    ...emulator,
    endpoint: `http://127.0.0.1:${emulator.port}`,
    region: 'us-east-1',
    accessKeyId: 'paradoxon',
    secretAccessKey: 'any-secret-will-do',
  };
}
