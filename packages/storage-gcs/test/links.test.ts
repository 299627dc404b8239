import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { GcsServer, GcsServerOptions } from '@paradoxon/storage-testing';
import type { GcsStorage } from '../src/index.ts';
import { bodyOf, failure, startServer, storeOf } from './gcs-place.ts';

const HOUR = 3600;
const DAY = 24 * HOUR;

// Google's library warns of configurations by strangers when one is given as an option
beforeEach(() => void jest.spyOn(console, 'warn').mockImplementation(() => undefined));
afterEach(() => void jest.restoreAllMocks());

/** A store with the identity of a service account, whose key it has not. */
async function keyless(
  run: (store: GcsStorage, server: GcsServer) => Promise<void>,
  options: Partial<GcsServerOptions> = {},
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'gcs-'));
  const token = join(folder, 'token');
  await writeFile(token, 'token of the pod');
  const server = await startServer({ subjectTokens: { 'token of the pod': 'default' }, ...options });
  const email = server.serviceAccount().client_email;
  const store = await storeOf(server, {
    credentials: {
      type: 'external_account',
      audience: '//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/pool/providers/provider',
      subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
      token_url: `${server.endpoint}/v1/token`,
      service_account_impersonation_url: `${server.endpoint}/v1/projects/-/serviceAccounts/${email}:generateAccessToken`,
      credential_source: { file: token },
    },
  });
  await run(store, server);
  await rm(folder, { recursive: true });
}

describe('links', () => {
  it.each([
    [60, 60],
    [undefined, 900],
    [7 * DAY, 7 * DAY],
    [30 * DAY, 7 * DAY],
    [0.5, 1],
  ])('asked for %p seconds, with a key, live %i, and say so', async (ttlSeconds, seconds) => {
    const server = await startServer();
    const store = await storeOf(server);
    const before = Math.floor(Date.now() / 1000);

    const { url, expiresAt, supportsRange } = await store.resolveUrl(
      'a',
      ttlSeconds === undefined ? {} : { ttlSeconds },
    );

    const query = new URL(url).searchParams;
    expect(query.get('X-Goog-Expires')).toBe(String(seconds));
    const [, year, month, day, hour, minute, second] =
      /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(query.get('X-Goog-Date') ?? '')?.map(Number) ?? [];
    const signed = Date.UTC(year ?? 0, (month ?? 0) - 1, day, hour, minute, second) / 1000;
    expect(signed).toBeGreaterThanOrEqual(before);
    expect(expiresAt?.getTime()).toBe((signed + seconds) * 1000);
    expect(supportsRange).toBe(true);
  });

  it('are signed without asking anybody where there is a key', async () => {
    const server = await startServer();
    const store = await storeOf(server);

    await store.resolveUrl('a');

    expect(server.requests).toEqual([]);
  });

  it('are signed by Google where there is none, and live as long as its keys do', async () => {
    await keyless(async (store, server) => {
      await store.put('a b/ü.mp4', bodyOf('bytes'), { contentType: 'video/mp4' });

      const { url, expiresAt } = await store.resolveUrl('a b/ü.mp4', { ttlSeconds: 7 * DAY });

      const answer = await fetch(url);
      expect([answer.status, await answer.text()]).toEqual([200, 'bytes']);
      expect(Math.round(((expiresAt?.getTime() ?? 0) - Date.now()) / 1000 / HOUR)).toBe(12);
      expect(server.requests.filter(({ path }) => path.endsWith(':signBlob'))).toHaveLength(1);
    });
  });

  it('name the permission that Google needs to sign', async () => {
    const permissions = ['iam.serviceAccounts.getAccessToken'];
    await keyless(
      async (store) => {
        const error = await failure(store.resolveUrl('a'));

        expect(error).toMatchObject({ code: 'PERMISSION_DENIED', operation: 'resolveUrl', key: 'a', storage: 'gcs' });
        expect(error.message).toContain('iam.serviceAccounts.signBlob');
        expect(error.message).toContain('roles/iam.serviceAccountTokenCreator');
      },
      { serviceAccounts: { default: { permissions } } },
    );
  });

  it('cannot be signed with the login of a person, and say so', async () => {
    const server = await startServer();
    const credentials = { type: 'authorized_user', client_id: 'x', client_secret: 'x', refresh_token: 'x' };
    const store = await storeOf(server, { credentials });

    const error = await failure(store.resolveUrl('a'));

    expect(error.code).toBe('PERMISSION_DENIED');
    expect(error.message).toContain('service account');
  });
});
