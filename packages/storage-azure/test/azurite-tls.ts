import { randomUUID } from 'node:crypto';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import type { TokenCredential } from '@azure/identity';
import { BlobServiceClient, StorageSharedKeyCredential } from '@azure/storage-blob';
import { afterAll, afterEach, beforeAll } from '@jest/globals';
import { type AzureEmulator, startAzurite } from '@paradoxon/emulators';
import { AzureStorage, type AzureStorageOptions } from '../src/index.ts';

/** An Azurite that speaks https and takes tokens; this process trusts its certificate. */
export function useAzuriteWithTokens(): {
  server: () => AzureEmulator;
  store: (options?: Partial<AzureStorageOptions>) => Promise<AzureStorage>;
} {
  let server: AzureEmulator;
  const stores: AzureStorage[] = [];
  beforeAll(async () => {
    server = await startAzurite({ oauth: true });
    setDefaultCACertificates([...getCACertificates('default'), server.ca ?? '']);
  }, 60_000);
  afterEach(async () => {
    for (const store of stores.splice(0)) await store.close();
  });
  afterAll(() => server.stop());
  return {
    server: () => server,
    store: async (options = {}) => {
      const key = new StorageSharedKeyCredential(server.accountName, server.accountKey);
      const container = `films-${randomUUID()}`;
      await new BlobServiceClient(server.endpoint, key).getContainerClient(container).create();
      const store = new AzureStorage('az', {
        accountUrl: server.endpoint,
        container,
        credential: credentialOf(token()),
        ...options,
      });
      stores.push(store);
      return store;
    },
  };
}

/** Azurite looks into a token, but does not ask who signed it. */
export function token(claims: Record<string, unknown> = {}): string {
  const now = Math.floor(Date.now() / 1000);
  const payload = {
    aud: 'https://storage.azure.com',
    iss: 'https://sts.windows.net/00000000-0000-0000-0000-000000000001/',
    tid: '00000000-0000-0000-0000-000000000001',
    oid: '00000000-0000-0000-0000-000000000002',
    appid: 'film-archiver',
    iat: now - 60,
    nbf: now - 60,
    exp: now + 3600,
    ...claims,
  };
  const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  return `${part({ alg: 'none', typ: 'JWT' })}.${part(payload)}.unsigned`;
}

export const credentialOf = (text: string): TokenCredential => ({
  getToken: () => Promise.resolve({ token: text, expiresOnTimestamp: Date.now() + 3_600_000 }),
});
