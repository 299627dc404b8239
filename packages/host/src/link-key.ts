import { randomBytes, randomUUID } from 'node:crypto';
import { link, mkdir, readFile, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * The key that signs links to local objects: made once, kept in the data folder, readable by its owner only. Of two
 * processes that start at once one makes it, whole, and the other reads it.
 */
export async function linkKey(dataDir: string): Promise<string> {
  const path = join(dataDir, 'link-key');
  const made = `${path}.${randomUUID()}`;
  await mkdir(dataDir, { recursive: true });
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
  }
  await writeFile(made, randomBytes(32).toString('base64url'), { flag: 'wx', mode: 0o600 });
  try {
    await link(made, path);
  } catch (error) {
    if (!hasCode(error, 'EEXIST')) throw error;
  } finally {
    await unlink(made);
  }
  return readFile(path, 'utf8');
}

const hasCode = (error: unknown, code: string): boolean =>
  typeof error === 'object' && error !== null && 'code' in error && error.code === code;
