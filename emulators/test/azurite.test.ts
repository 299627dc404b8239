import { createHmac } from 'node:crypto';
import { get } from 'node:https';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type AzureEmulator, ensureServers, startAzurite } from '../src/index.ts';
import { describeLife } from './describe-life.ts';

const VERSION = '2024-11-04';

/**
 * One request, signed with the account's key.
 *
 * @param path below the account, percent-encoded
 * @see https://learn.microsoft.com/rest/api/storageservices/authorize-with-shared-key
 */
async function ask(
  { endpoint, accountName, accountKey }: AzureEmulator,
  method: string,
  path: string,
  { body = '', container = false } = {},
): Promise<string> {
  const headers = {
    ...(body !== '' && { 'x-ms-blob-type': 'BlockBlob' }),
    'x-ms-date': new Date().toUTCString(),
    'x-ms-version': VERSION,
  };
  const resource = `/${accountName}${new URL(endpoint + path).pathname}`;
  const toSign = [
    // Content-Encoding, -Language, -Length, -MD5, -Type, Date, four conditions, Range
    ...[method, '', '', body === '' ? '' : String(body.length), '', '', '', '', '', '', '', ''],
    ...Object.entries(headers).map((header) => header.join(':')),
    resource,
    ...(container ? ['restype:container'] : []),
  ].join('\n');
  const signature = createHmac('sha256', Buffer.from(accountKey, 'base64')).update(toSign).digest('base64');

  const answer = await fetch(`${endpoint}${path}${container ? '?restype=container' : ''}`, {
    method,
    headers: { ...headers, authorization: `SharedKey ${accountName}:${signature}` },
    ...(body !== '' && { body: Buffer.from(body) }),
  });
  if (!answer.ok) throw new Error(`${method} ${path}: HTTP ${answer.status} ${await answer.text()}`);
  return answer.text();
}

const pathOf = (key: string): string => `/films/${key.split('/').map(encodeURIComponent).join('/')}`;

describeLife('Azurite', {
  byHand: 'azurite',
  start: startAzurite,
  makeBucket: (server) => ask(server, 'PUT', '/films', { container: true }),
  put: (server, key, text) => ask(server, 'PUT', pathOf(key), { body: text }),
  get: (server, key) => ask(server, 'GET', pathOf(key)),
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
      const headers = { authorization, 'x-ms-version': VERSION };
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
