import { afterEach } from '@jest/globals';
import type { ByteSource, StorageError, StoragePlugin } from '@paradoxon/storage';
import { type GcsServer, type GcsServerOptions, startGcsServer } from '@paradoxon/storage-testing';
import { buffer } from 'node:stream/consumers';
import { GcsStorage, type GcsStorageOptions } from '../src/index.ts';

export const MiB = 1024 ** 2;
export const KiB = 1024;

const servers: GcsServer[] = [];
const stores: GcsStorage[] = [];

afterEach(async () => {
  for (const store of stores.splice(0)) await store.close();
  for (const server of servers.splice(0)) await server.close();
});

/** A server with the bucket `films`; closed after the test. */
export async function startServer(options: Partial<GcsServerOptions> = {}): Promise<GcsServer> {
  const server = await startGcsServer({ buckets: { films: {} }, ...options });
  servers.push(server);
  return server;
}

/** A store in the bucket `films` of the server, with the key of its account; closed after the test. */
export async function storeOf(server: GcsServer, options: Partial<GcsStorageOptions> = {}): Promise<GcsStorage> {
  const credentials = { ...server.serviceAccount() };
  const store = new GcsStorage('gcs', { bucket: 'films', endpoint: server.endpoint, credentials, ...options });
  stores.push(store);
  await askServerForTokens(store, server);
  return store;
}

/** No option says where tokens are issued and blobs signed: what the library asks Google comes to the server. */
export async function askServerForTokens(store: GcsStorage, server: GcsServer): Promise<void> {
  const client = await store.native().authClient.getClient();
  client.transporter.interceptors.request.add({
    resolved: (request) => {
      const { hostname, pathname } = request.url;
      if (/^(oauth2|iamcredentials)\.googleapis\.com$/.test(hostname))
        request.url = new URL(server.endpoint + pathname);
      return Promise.resolve(request);
    },
  });
}

/** Bytes that do not repeat soon. */
export function noise(bytes: number, seed = 1): Buffer {
  const block = Buffer.alloc(bytes);
  for (let at = 0, state = seed; at < bytes; at += 1) {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    block[at] = state >>> 16;
  }
  return block;
}

/** @param sized whether the body says how many bytes it has */
export function bodyOf(bytes: Uint8Array | string, { sized = true, chunkBytes = 64 * KiB } = {}): ByteSource {
  const whole = Buffer.from(bytes);
  return { ...(sized ? { size: whole.byteLength } : {}), chunks: chunksOf(whole, chunkBytes) };
}

async function* chunksOf(bytes: Buffer, chunkBytes: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.byteLength; at += chunkBytes)
    yield await Promise.resolve(bytes.subarray(at, at + chunkBytes));
}

export async function read(store: StoragePlugin, key: string): Promise<Buffer> {
  return buffer((await store.open(key)).body);
}

export async function keysOf(store: StoragePlugin, prefix = ''): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of store.list?.(prefix) ?? []) keys.push(key);
  return keys.sort();
}

/** What a call that must fail rejects with. */
export const failure = (work: Promise<unknown>): Promise<StorageError> =>
  work.then(
    () => Promise.reject(new Error('It resolved.')),
    (error: StorageError) => error,
  );
