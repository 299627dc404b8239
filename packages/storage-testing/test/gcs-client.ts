import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach } from '@jest/globals';
import { IdempotencyStrategy, Storage, type StorageOptions } from '@google-cloud/storage';
import { type GcsServer, type GcsServerOptions, startGcsServer } from '../src/index.ts';

const open: GcsServer[] = [];

afterEach(async () => {
  await Promise.all(open.splice(0).map((server) => server.close()));
});

/** A server with the bucket `films`; closed after the test. */
export async function startServer(options: Partial<GcsServerOptions> = {}): Promise<GcsServer> {
  const server = await startGcsServer({ buckets: { films: {} }, ...options });
  open.push(server);
  return server;
}

/** Google's own SDK, without credentials, patient for a moment only. */
export function sdk(server: GcsServer, options: StorageOptions = {}): Storage {
  return new Storage({
    apiEndpoint: server.endpoint,
    projectId: 'paradoxon',
    retryOptions: {
      idempotencyStrategy: IdempotencyStrategy.RetryAlways,
      maxRetries: 3,
      retryDelayMultiplier: 0.01,
      maxRetryDelay: 1,
      totalTimeout: 5,
    },
    ...options,
  });
}

/**
 * The SDK with application default credentials: a file that `GOOGLE_APPLICATION_CREDENTIALS` names. What it sends to
 * Google's token endpoint, which a key cannot change, comes to the server.
 */
export async function sdkOf(server: GcsServer, credentials: object): Promise<Storage> {
  const folder = await mkdtemp(join(tmpdir(), 'gcs-'));
  const file = join(folder, 'credentials.json');
  await writeFile(file, JSON.stringify(credentials));
  process.env['GOOGLE_APPLICATION_CREDENTIALS'] = file;
  try {
    const storage = sdk(server, { useAuthWithCustomEndpoint: true });
    const client = await storage.authClient.getClient();
    client.transporter.interceptors.request.add({
      resolved: (request) => {
        if (request.url.href === 'https://oauth2.googleapis.com/token')
          request.url = new URL(`${server.endpoint}/token`);
        return Promise.resolve(request);
      },
    });
    return storage;
  } finally {
    delete process.env['GOOGLE_APPLICATION_CREDENTIALS'];
    await rm(folder, { recursive: true });
  }
}

export interface WireAnswer {
  readonly status: number;
  readonly headers: NodeJS.Dict<string | string[]>;
  readonly body: Buffer;
  /** The code of the error, when the connection broke. */
  readonly error?: string;
}

/** For what the SDK never sends: one request as it is, and whatever comes back. */
export function ask(
  url: string,
  { method = 'GET', headers = {}, body = '' }: { method?: string; headers?: object; body?: Uint8Array | string } = {},
): Promise<WireAnswer> {
  return new Promise((resolve) => {
    const request = httpRequest(url, { agent: false, method, headers: { ...headers } }, (response) => {
      const chunks: Buffer[] = [];
      const { statusCode: status = 0, headers: answered } = response;
      const finish = (error?: NodeJS.ErrnoException): void =>
        resolve({
          status,
          headers: answered,
          body: Buffer.concat(chunks),
          ...(error ? { error: String(error.code) } : {}),
        });
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => finish());
      response.on('error', finish);
    });
    request.on('error', (error: NodeJS.ErrnoException) =>
      resolve({ status: 0, headers: {}, body: Buffer.alloc(0), error: String(error.code) }),
    );
    request.end(body);
  });
}

/** Bytes that do not repeat soon. */
export function noise(bytes: number): Buffer {
  const block = Buffer.alloc(bytes);
  for (let at = 0, state = 1; at < bytes; at += 1) {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    block[at] = state >>> 16;
  }
  return block;
}
