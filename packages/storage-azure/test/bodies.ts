import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import type { ByteSource, StoragePlugin } from '@paradoxon/storage';

export const KiB = 1024;
export const MiB = 1024 ** 2;

/** A body of known size, in chunks of 16 KiB. */
export function bodyOf(bytes: Uint8Array): ByteSource {
  return { size: bytes.byteLength, chunks: Readable.from(chunksOf(bytes), { objectMode: true }) };
}

export function* chunksOf(bytes: Uint8Array, chunkBytes = 16 * KiB): Generator<Uint8Array> {
  for (let at = 0; at < bytes.byteLength; at += chunkBytes) yield bytes.subarray(at, at + chunkBytes);
}

/** Noise, a little more than so many blocks of 64 KiB. */
export const blocks = (count: number): Buffer => randomBytes(count * 64 * KiB + 100);

export const text = (content: string): ByteSource => bodyOf(Buffer.from(content));

export async function read(store: StoragePlugin, key: string): Promise<Buffer> {
  return buffer((await store.open(key)).body);
}

export async function keysOf(store: StoragePlugin): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of store.list?.('') ?? []) keys.push(key);
  return keys.sort();
}
