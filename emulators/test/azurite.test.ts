import { get } from 'node:https';
import { BlobServiceClient, StorageSharedKeyCredential } from '@azure/storage-blob';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type AzureEmulator, ensureServers, startAzurite } from '../src/index.ts';
import { describeLife } from './describe-life.ts';

const containerOf = ({ endpoint, accountName, accountKey }: AzureEmulator) =>
  new BlobServiceClient(endpoint, new StorageSharedKeyCredential(accountName, accountKey), {
    retryOptions: { maxTries: 1 },
  }).getContainerClient('films');

describeLife('Azurite', {
  byHand: 'azurite',
  start: startAzurite,
  async makeBucket(server) {
    await containerOf(server).create();
  },
  put: (server, key, text) => containerOf(server).getBlockBlobClient(key).upload(text, text.length),
  get: async (server, key) => (await containerOf(server).getBlobClient(key).downloadToBuffer()).toString(),
});

describe('Azurite with oauth', () => {
  let server: AzureEmulator;
  beforeAll(async () => {
    await ensureServers();
    server = await startAzurite({ oauth: true });
  }, 300_000);
  afterAll(() => server.stop());

  /** @returns the status, and the body, of `List Containers` */
  const listContainers = (authorization: string): Promise<{ readonly status: number; readonly body: string }> =>
    new Promise((resolve, reject) => {
      const headers = { authorization, 'x-ms-version': '2024-11-04' };
      get(
        `${server.endpoint}?comp=list`,
        { ...(server.ca !== undefined && { ca: server.ca }), headers },
        (response) => {
          let body = '';
          response.on('data', (text: Buffer) => (body += text.toString()));
          response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
        },
      ).on('error', reject);
    });

  const token = (seconds: number): string => {
    const now = Math.floor(Date.now() / 1000);
    const claims = {
      aud: 'https://storage.azure.com',
      iss: 'https://sts.windows.net/tenant/',
      iat: now,
      nbf: now - 60,
      exp: now + seconds,
    };
    return [{ alg: 'none', typ: 'JWT' }, claims, 'unsigned']
      .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
      .join('.');
  };

  it('speaks https under the certificate that it names', async () => {
    await expect(fetch(server.endpoint)).rejects.toThrow();
    await expect(listContainers(`Bearer ${token(3600)}`)).resolves.toMatchObject({ status: 200 });
  });

  it('refuses a token that has expired', async () => {
    const { status, body } = await listContainers(`Bearer ${token(-1)}`);

    expect(status).toBe(403);
    expect(body).toContain('AuthenticationFailed');
  });
});
