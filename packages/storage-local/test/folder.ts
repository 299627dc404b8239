import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { afterEach } from '@jest/globals';
import type { ByteSource, StoragePlugin } from '@paradoxon/storage';

const made: string[] = [];

afterEach(async () => {
  for (const folder of made.splice(0)) await rm(folder, { recursive: true, force: true });
});

/** An empty folder that is removed after the test. */
export async function emptyFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'storage-local-'));
  made.push(folder);
  return folder;
}

/** Everything in a folder that is not a folder, the store's own files included, sorted. */
export async function filesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .sort();
}

/** The store's descriptions and unfinished files, by number. */
export async function ownFiles(root: string): Promise<{ temps: number; sidecars: number }> {
  const files = await filesIn(root);
  return {
    temps: files.filter((file) => file.startsWith('.paradoxon/tmp/')).length,
    sidecars: files.filter((file) => file.startsWith('.paradoxon/meta/')).length,
  };
}

export function bodyOf(...chunks: (string | Uint8Array)[]): ByteSource {
  const bytes = chunks.map((chunk) => Buffer.from(chunk));
  return { size: Buffer.concat(bytes).length, chunks: chunksOf(bytes) };
}

export async function* chunksOf<T>(chunks: Iterable<T> | AsyncIterable<T>): AsyncGenerator<T> {
  for await (const chunk of chunks) yield chunk;
}

export async function read(store: StoragePlugin, key: string): Promise<Buffer> {
  return buffer((await store.open(key)).body);
}

export async function keysOf(store: StoragePlugin, prefix = ''): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of store.list?.(prefix) ?? []) keys.push(key);
  return keys.sort();
}
