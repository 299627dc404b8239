import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface DataFolder {
  readonly path: string;
  /** Removes it, when it was made for this server alone. */
  readonly discard: () => Promise<void>;
}

/** @param kept the folder that the caller wants to keep; absent: a temporary one is made */
export async function dataFolder(name: string, kept?: string): Promise<DataFolder> {
  if (kept !== undefined) {
    await mkdir(kept, { recursive: true });
    return { path: kept, discard: () => Promise.resolve() };
  }
  const path = await mkdtemp(join(tmpdir(), `paradoxon-${name}-`));
  return { path, discard: () => rm(path, { recursive: true, force: true, maxRetries: 3 }) };
}
