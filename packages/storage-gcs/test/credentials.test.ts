import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import nock from 'nock';
import type { GcsServer } from '@paradoxon/storage-testing';
import { GcsStorage, type GcsStorageOptions } from '../src/index.ts';
import { askServerForTokens, bodyOf, failure, startServer, storeOf } from './gcs-place.ts';

let folder: string;
const before = { ...process.env };

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gcs-'));
  // whatever this machine has is not looked for
  delete process.env['GOOGLE_APPLICATION_CREDENTIALS'];
  process.env['HOME'] = folder;
  process.env['METADATA_SERVER_DETECTION'] = 'none';
});
afterEach(async () => {
  process.env = { ...before };
  await rm(folder, { recursive: true });
});

async function file(name: string, content: object | string): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, typeof content === 'string' ? content : JSON.stringify(content));
  return path;
}

/** The store, and that it may write: with the credentials that it finds by itself. */
async function usable(server: GcsServer, options: Partial<GcsStorageOptions> = {}): Promise<GcsStorage> {
  const store = new GcsStorage('gcs', { bucket: 'films', endpoint: server.endpoint, ...options });
  await askServerForTokens(store, server);
  await store.put('a', bodyOf('bytes'));
  expect(server.requests.find(({ path }) => path.startsWith('/upload/'))?.headers.authorization).toMatch(/^Bearer ./);
  return store;
}

describe('credentials', () => {
  it('are taken from the key file of an option', async () => {
    const server = await startServer();

    const store = await usable(server, { keyFilename: await file('key.json', server.serviceAccount()) });

    expect((await store.check('reach')).steps).toContainEqual(
      expect.objectContaining({ name: 'credentials', ok: true, detail: expect.stringContaining('default@') }),
    );
    await store.close();
  });

  it('are found where GOOGLE_APPLICATION_CREDENTIALS says', async () => {
    const server = await startServer();
    process.env['GOOGLE_APPLICATION_CREDENTIALS'] = await file('key.json', server.serviceAccount());

    const store = await usable(server);

    await store.close();
  });

  const identity = async (server: GcsServer): Promise<object> => ({
    type: 'external_account',
    audience: '//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/pool/providers/provider',
    subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
    token_url: `${server.endpoint}/v1/token`,
    credential_source: { file: await file('token', 'token of the pod') },
  });

  it('are those of a workload identity', async () => {
    const server = await startServer({ subjectTokens: { 'token of the pod': 'default' } });
    process.env['GOOGLE_APPLICATION_CREDENTIALS'] = await file('identity.json', await identity(server));

    const store = await usable(server, { projectId: 'films' });

    expect(server.requests.some(({ path }) => path === '/v1/token')).toBe(true);
    await store.close();
  });

  it('of a workload identity that does not know its project say so', async () => {
    const server = await startServer({ subjectTokens: { 'token of the pod': 'default' } });
    process.env['GOOGLE_APPLICATION_CREDENTIALS'] = await file('identity.json', await identity(server));
    // no server here has the names of Google's projects: the library's question ends at once
    nock('https://cloudresourcemanager.googleapis.com')
      .get('/v1/projects/1')
      .reply(403, { error: { code: 403 } });

    const error = await failure(new GcsStorage('gcs', { bucket: 'films', endpoint: server.endpoint }).head('a'));

    nock.restore();
    expect(error.code).toBe('INVALID_CONFIG');
    expect(error.message).toContain('projectId');
  });

  it('are those of the machine, on a machine of Google', async () => {
    const server = await startServer();
    process.env['METADATA_SERVER_DETECTION'] = 'assume-present';
    process.env['GCE_METADATA_HOST'] = new URL(server.endpoint).host;

    const store = await usable(server);

    expect(server.requests.some(({ path }) => path.startsWith('/computeMetadata/'))).toBe(true);
    await store.close();
  });

  it('are renewed when their tokens end', async () => {
    const server = await startServer({ tokenSeconds: 1 });
    const store = await storeOf(server);
    await store.put('a', bodyOf('bytes'));

    await sleep(1100);

    expect((await store.head('a')).size).toBe(5);
  });
});

describe('without credentials that are any good', () => {
  it('says what to do when there are none', async () => {
    const server = await startServer();
    const store = new GcsStorage('gcs', { bucket: 'films', endpoint: server.endpoint });

    const error = await failure(store.head('a'));

    expect(error).toMatchObject({ code: 'UNAUTHENTICATED', operation: 'head', key: 'a' });
    expect(error.message).toContain('GOOGLE_APPLICATION_CREDENTIALS');
    expect(error.message).toContain('gcloud auth application-default login');
  });

  it('names the deleted key and the clock when the key is refused', async () => {
    const [server, other] = [await startServer(), await startServer()];
    const store = await storeOf(server, { credentials: { ...other.serviceAccount() } });

    const error = await failure(store.head('a'));

    expect(error).toMatchObject({ code: 'UNAUTHENTICATED', httpStatus: 400 });
    expect(error.message).toMatch(/invalid_grant/);
    expect(error.message).toMatch(/key was deleted, or the clock/);
  });

  it('does so when the clock is wrong', async () => {
    const server = await startServer({ now: () => new Date(Date.now() - 2 * 3_600_000) });
    const store = await storeOf(server);

    expect((await failure(store.head('a'))).message).toMatch(/invalid_grant.*|clock/);
  });

  it.each([
    ['is not there', undefined, 'ENOENT'],
    ['is no JSON', '{"private_key": "-----BEGIN', 'is no JSON'],
    ['is something else', { hello: 'world' }, 'holds no credentials'],
  ])('names the option and the file when it %s', async (_, content, said) => {
    const path = content === undefined ? join(folder, 'key.json') : await file('key.json', content);
    const store = new GcsStorage('gcs', { bucket: 'films', endpoint: 'http://127.0.0.1:1', keyFilename: path });

    const error = await failure(store.head('a'));

    expect(error).toMatchObject({ code: 'INVALID_CONFIG', storage: 'gcs' });
    expect(error.message).toContain(`${path} `);
    expect(error.message).toContain(said);
    expect(error.message).toContain('keyFilename');
    expect(error.message).not.toContain('BEGIN');
  });

  it('says that a private key cannot be read, and does not show it', async () => {
    const server = await startServer();
    const credentials = { client_email: 'a@b.iam.gserviceaccount.com', private_key: 'a secret that is no key' };
    const store = await storeOf(server, { credentials });

    const error = await failure(store.head('a'));

    expect(error.code).toBe('UNAUTHENTICATED');
    expect(error.message).not.toContain('a secret');
  });

  it('waits for tokens that are not issued now', async () => {
    const server = await startServer();
    const store = await storeOf(server);
    server.fail(
      'POST /token',
      Array.from({ length: 12 }, () => 503),
    );

    expect(await failure(store.head('a'))).toMatchObject({ code: 'UNAVAILABLE', retry: 'safe' });
  }, 20_000);

  it('says that a token was refused', async () => {
    const server = await startServer();
    const store = await storeOf(server);
    server.fail('GET', [401]);

    expect(await failure(store.head('a'))).toMatchObject({ code: 'UNAUTHENTICATED', httpStatus: 401, retry: 'never' });
  });

  it('lets go of a token server that does not answer, when the caller aborts or its time is over', async () => {
    const server = await startServer();
    const store = await storeOf(server, { idleTimeoutMs: 300 });
    server.fail('POST /token', ['stall']);

    const late = failure(store.head('a'));
    const aborted = failure(store.head('a', { signal: AbortSignal.timeout(20) }));

    expect(await aborted).toMatchObject({ code: 'ABORTED' });
    expect(await late).toMatchObject({ code: 'TIMEOUT', operation: 'head' });
  });

  it.each(['put', 'delete'] as const)(
    'knows that a %s was not carried out while there is no token',
    async (operation) => {
      const server = await startServer();
      const store = await storeOf(server, { idleTimeoutMs: 100 });
      server.fail('POST /token', ['stall']);

      const error = await failure(operation === 'put' ? store.put('a', bodyOf('bytes')) : store.delete('a'));

      expect(error).toMatchObject({ code: 'TIMEOUT', operation, committed: 'no' });
      expect(server.requests.filter(({ path }) => path.includes('/storage/'))).toEqual([]);
    },
  );
});
