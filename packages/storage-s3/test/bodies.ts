import { randomBytes } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import type { ByteSource, StoragePlugin } from '@paradoxon/storage';

/** A body of known size, in chunks of at most 256 KiB. */
export function bodyOf(content: string | Uint8Array): ByteSource {
  const bytes = Buffer.from(content);
  return { size: bytes.byteLength, chunks: chunksOf(bytes) };
}

export async function* chunksOf(bytes: Buffer, chunkBytes = 256 * 1024): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.byteLength; at += chunkBytes) {
    await Promise.resolve();
    yield bytes.subarray(at, at + chunkBytes);
  }
}

export const someBytes = (count: number): Buffer => randomBytes(count);

export async function read(store: StoragePlugin, key: string): Promise<Buffer> {
  return buffer((await store.open(key)).body);
}

export async function keysOf(store: StoragePlugin, prefix = ''): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of store.list?.(prefix) ?? []) keys.push(key);
  return keys.sort();
}
