import { createHash } from 'node:crypto';
import { mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface TemporaryFolder {
  readonly path: string;
  /** Removes the folder, and the folder of the socket that a database in it had. */
  remove(): Promise<void>;
}

export async function temporaryFolder(): Promise<TemporaryFolder> {
  const path = await mkdtemp(join(await realpath(tmpdir()), 'paradoxon-test-'));
  return {
    path,
    remove: async () => {
      await rm(path, { recursive: true, force: true });
      await rm(socketFolderOf(path), { recursive: true, force: true });
    },
  };
}

/** Where the database of a data folder has its socket. */
export function socketFolderOf(folder: string): string {
  const name = createHash('sha256').update(join(folder, 'postgres')).digest('hex').slice(0, 16);
  return join(tmpdir(), `paradoxon-${name}`);
}
