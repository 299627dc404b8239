import { createHash, createVerify, generateKeyPairSync, createPublicKey, sign } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { GoogleAuth } from 'google-auth-library';
import type { GcsServer } from '../src/index.ts';
import { ask, sdk, sdkOf, startServer, type WireAnswer } from './gcs-client.ts';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gcs-'));
  // nobody's own credentials
  process.env['CLOUDSDK_CONFIG'] = folder;
});

afterEach(async () => {
  for (const name of ['CLOUDSDK_CONFIG', 'GCE_METADATA_HOST', 'METADATA_SERVER_DETECTION']) delete process.env[name];
  await rm(folder, { recursive: true });
});

const bearer = (token: string): object => ({ authorization: `Bearer ${token}` });

it('lets in who has a key', async () => {
  const server = await startServer();
  const file = (await sdkOf(server, server.serviceAccount())).bucket('films').file('a.mp4');

  await file.save('ten bytes.', { resumable: false });

  expect((await file.download())[0].toString()).toBe('ten bytes.');
  expect(server.requests.map(({ method, path }) => `${method} ${path}`)).toEqual([
    'POST /token',
    'POST /upload/storage/v1/b/films/o',
    'GET /storage/v1/b/films/o/a.mp4',
  ]);
});

it('asks a stranger for credentials', async () => {
  const server = await startServer();
  server.put('films', 'a.mp4', Buffer.from('x'));

  const get = ask(`${server.endpoint}/storage/v1/b/films/o/a.mp4`);
  const insert = ask(`${server.endpoint}/upload/storage/v1/b/films/o?uploadType=media&name=b`, { method: 'POST' });

  const message =
    'Anonymous caller does not have storage.objects.get access to the Google Cloud Storage object. ' +
    "Permission 'storage.objects.get' denied on resource (or it may not exist).";
  const { status, headers, body } = await get;
  expect(status).toBe(401);
  expect(headers['www-authenticate']).toMatch(/^Bearer/);
  expect(JSON.parse(body.toString())).toEqual({
    error: {
      code: 401,
      message,
      errors: [{ message, domain: 'global', reason: 'required', locationType: 'header', location: 'Authorization' }],
    },
  });
  expect((await insert).status).toBe(401);
  expect(server.objects('films')).toHaveLength(1);
});

it('refuses a token that it did not give out, and one whose time is over', async () => {
  let now = new Date();
  const server = await startServer({ now: () => now, tokenSeconds: 60 });
  const url = `${server.endpoint}/storage/v1/b/films`;
  const token = server.accessToken();

  const valid = await ask(url, { headers: bearer(token) });
  const unknown = await ask(url, { headers: bearer(`${token}x`) });
  now = new Date(now.getTime() + 60_000);
  const expired = await ask(url, { headers: bearer(token) });

  expect(valid.status).toBe(200);
  for (const { status, body } of [unknown, expired]) {
    expect(status).toBe(401);
    expect(JSON.parse(body.toString())).toMatchObject({
      error: {
        code: 401,
        message: 'Invalid Credentials',
        errors: [{ reason: 'authError', location: 'Authorization' }],
      },
    });
  }
});

it('grants each account what it may, and names what it may not', async () => {
  const permissions = ['storage.objects.get', 'storage.objects.create'];
  const server = await startServer({ serviceAccounts: { admin: {}, reader: { permissions } } });
  server.put('films', 'a.mp4', Buffer.from('x'));
  const bucket = (await sdkOf(server, server.serviceAccount('reader'))).bucket('films');
  const refused = (permission: string, on: string): object => {
    const message =
      `reader@paradoxon-test.iam.gserviceaccount.com does not have ${permission} access to the Google Cloud Storage ` +
      `${on}. Permission '${permission}' denied on resource (or it may not exist).`;
    return { code: 403, errors: [{ reason: 'forbidden', domain: 'global', message }] };
  };

  expect((await bucket.file('a.mp4').download())[0].toString()).toBe('x');
  await bucket.file('new.mp4').save('y', { resumable: false });
  await expect(bucket.file('a.mp4').delete()).rejects.toMatchObject(refused('storage.objects.delete', 'object'));
  await expect(bucket.file('a.mp4').save('y', { resumable: false })).rejects.toMatchObject(
    refused('storage.objects.delete', 'object'),
  );
  await expect(bucket.file('a.mp4').setMetadata({})).rejects.toMatchObject(refused('storage.objects.update', 'object'));
  await expect(bucket.getFiles()).rejects.toMatchObject(refused('storage.objects.list', 'bucket'));
  await expect(bucket.getMetadata()).rejects.toMatchObject(refused('storage.buckets.get', 'bucket'));
  expect((await bucket.iam.testPermissions([...permissions, 'storage.objects.list']))[0]).toEqual({
    'storage.objects.get': true,
    'storage.objects.create': true,
    'storage.objects.list': false,
  });
  expect(server.objects('films').map(({ name, bytes }) => `${name} ${Buffer.from(bytes).toString()}`)).toEqual([
    'a.mp4 x',
    'new.mp4 y',
  ]);
});

it('needs credentials to open an upload session, and none inside of it', async () => {
  const server = await startServer({
    serviceAccounts: { writer: {}, reader: { permissions: ['storage.objects.get'] } },
  });
  const url = `${server.endpoint}/upload/storage/v1/b/films/o?uploadType=resumable&name=a.mp4`;
  const open = (headers: object): Promise<WireAnswer> => ask(url, { method: 'POST', headers });

  const stranger = await open({});
  const reader = await open(bearer(server.accessToken('reader')));
  const writer = await open(bearer(server.accessToken('writer')));
  const put = await ask(String(writer.headers.location), { method: 'PUT', body: 'ten bytes.' });

  expect([stranger.status, reader.status, writer.status, put.status]).toEqual([401, 403, 200, 200]);
});

function grant(server: GcsServer, claims: object, privateKey?: string): Promise<WireAnswer> {
  const { client_email, private_key, token_uri } = server.serviceAccount();
  const iat = Math.floor(Date.now() / 1000);
  const [header, payload] = [
    { alg: 'RS256', typ: 'JWT' },
    { iss: client_email, aud: token_uri, iat, exp: iat + 3600, scope: 's', ...claims },
  ].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'));
  const signed = `${header}.${payload}`;
  const signature = sign('RSA-SHA256', Buffer.from(signed), privateKey ?? private_key).toString('base64url');
  const grant_type = 'urn:ietf:params:oauth:grant-type:jwt-bearer';
  const body = new URLSearchParams({ grant_type, assertion: `${signed}.${signature}` }).toString();
  return ask(token_uri, { method: 'POST', headers: { 'content-type': 'application/x-www-form-urlencoded' }, body });
}

it('gives a token for a good assertion, for as long as it was told', async () => {
  const server = await startServer({ tokenSeconds: 7 });

  const { status, body } = await grant(server, {});
  const token = JSON.parse(body.toString()) as { access_token: string; expires_in: number; token_type: string };

  expect(status).toBe(200);
  expect(token).toMatchObject({ expires_in: 7, token_type: 'Bearer' });
  const used = await ask(`${server.endpoint}/storage/v1/b/films`, { headers: bearer(token.access_token) });
  expect(used.status).toBe(200);
});

const other = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ type: 'pkcs8', format: 'pem' });
const anHourAgo = Math.floor(Date.now() / 1000) - 3601;

it.each([
  ['signed with another key', {}, other.toString(), 'Invalid JWT Signature.'],
  ['of an account that is unknown', { iss: 'x@example.com' }, undefined, 'Invalid grant: account not found'],
  ['for somebody else', { aud: 'https://example.com' }, undefined, 'Invalid JWT: Failed audience check.'],
  ['from a clock that is late', { iat: anHourAgo, exp: anHourAgo + 3600 }, undefined, /^Invalid JWT: Token must be/],
  ['from a clock that is early', { iat: anHourAgo + 7201, exp: anHourAgo + 10_800 }, undefined, /short-lived token/],
  ['that would be good for too long', { exp: anHourAgo + 9_999 }, undefined, /short-lived token/],
])('refuses an assertion %s', async (_title, claims, key, description) => {
  const server = await startServer();

  const { status, body } = await grant(server, claims, key);

  expect(status).toBe(400);
  const error = JSON.parse(body.toString()) as { error: string; error_description: string };
  expect(error.error).toBe('invalid_grant');
  expect(error.error_description).toMatch(description);
});

it('is the metadata server of a machine, for which one needs no key', async () => {
  const server = await startServer({ serviceAccounts: { machine: {} } });
  process.env['GCE_METADATA_HOST'] = `127.0.0.1:${server.port}`;
  process.env['METADATA_SERVER_DETECTION'] = 'ping-only';
  const auth = new GoogleAuth({ scopes: ['https://www.googleapis.com/auth/devstorage.full_control'] });
  const storage = sdk(server, { authClient: auth, useAuthWithCustomEndpoint: true });

  await storage.bucket('films').file('a.mp4').save('ten bytes.', { resumable: false });
  const [url] = await storage
    .bucket('films')
    .file('a.mp4')
    .getSignedUrl({
      version: 'v4',
      action: 'read',
      expires: Date.now() + 60_000,
      signingEndpoint: `${server.endpoint}/v1/projects/-/serviceAccounts/`,
    });

  expect(url).toContain('X-Goog-Credential=machine%40paradoxon-test.iam.gserviceaccount.com');
  expect((await ask(url)).body.toString()).toBe('ten bytes.');
  const rude = await ask(`${server.endpoint}/computeMetadata/v1/instance/service-accounts/default/token`);
  expect(rude.status).toBe(403);
});

it('exchanges the token of another identity provider, and lets it act as an account', async () => {
  const server = await startServer({
    serviceAccounts: { federated: {} },
    subjectTokens: { 'a good token': 'federated' },
  });
  const file = join(folder, 'subject-token');
  await writeFile(file, 'a good token');
  const { client_email } = server.serviceAccount();
  const credentials = {
    type: 'external_account',
    audience: '//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/pool/providers/ci',
    subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
    token_url: `${server.endpoint}/v1/token`,
    credential_source: { file },
    service_account_impersonation_url: `${server.endpoint}/v1/projects/-/serviceAccounts/${client_email}:generateAccessToken`,
  };
  const storage = await sdkOf(server, credentials);

  await storage.bucket('films').file('a.mp4').save('ten bytes.', { resumable: false });
  expect(server.requests.map(({ path }) => path)).toEqual([
    '/v1/token',
    `/v1/projects/-/serviceAccounts/${client_email}:generateAccessToken`,
    '/upload/storage/v1/b/films/o',
  ]);

  await writeFile(file, 'a bad token');
  const refused = (await sdkOf(server, credentials)).bucket('films').file('a.mp4').getMetadata();
  await expect(refused).rejects.toThrow(/invalid_grant/);
});

it('signs for an account only who may', async () => {
  const server = await startServer({
    serviceAccounts: { signer: { permissions: ['iam.serviceAccounts.signBlob'] }, reader: { permissions: [] } },
  });
  const { client_email, private_key } = server.serviceAccount('signer');
  const url = `${server.endpoint}/v1/projects/-/serviceAccounts/${client_email}:signBlob`;
  const signBlob = (headers: object): Promise<WireAnswer> =>
    ask(url, { method: 'POST', headers, body: JSON.stringify({ payload: Buffer.from('to sign').toString('base64') }) });

  const signed = await signBlob(bearer(server.accessToken('signer')));
  const reader = await signBlob(bearer(server.accessToken('reader')));
  const stranger = await signBlob({});

  expect(signed.status).toBe(200);
  const { signedBlob } = JSON.parse(signed.body.toString()) as { signedBlob: string };
  const verifier = createVerify('RSA-SHA256').update('to sign');
  expect(verifier.verify(createPublicKey(private_key), signedBlob, 'base64')).toBe(true);
  expect(reader.status).toBe(403);
  expect(JSON.parse(reader.body.toString())).toEqual({
    error: {
      code: 403,
      message: "Permission 'iam.serviceAccounts.signBlob' denied on resource (or it may not exist).",
      status: 'PERMISSION_DENIED',
    },
  });
  expect(stranger.status).toBe(401);
});

it('has one key per account', async () => {
  const server = await startServer({ serviceAccounts: { one: {}, two: {} } });
  const digest = (name: string): string =>
    createHash('md5').update(server.serviceAccount(name).private_key).digest('hex');

  expect(digest('one')).toBe(digest('one'));
  expect(digest('one')).not.toBe(digest('two'));
  expect(() => server.serviceAccount('three')).toThrow(/three/);
});
