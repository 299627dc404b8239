import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from '@jest/globals';
import type { CheckReport } from '@paradoxon/storage';
import { GcsStorage } from '../src/index.ts';
import { startServer, storeOf } from './gcs-place.ts';

const READ_ONLY = { permissions: ['storage.objects.get', 'storage.objects.list'] };

const bad = ({ steps }: CheckReport): Record<string, string> =>
  Object.fromEntries(steps.filter(({ ok }) => !ok).map(({ name, detail = '' }) => [name, detail]));

describe("check('write')", () => {
  it('finds everything good, says what it found, and leaves nothing', async () => {
    const cors = [{ origin: ['*'], method: ['GET'] }];
    const server = await startServer({ buckets: { films: { cors } } });
    const store = await storeOf(server, { prefix: 'archive' });

    const { ok, steps } = await store.check('write');

    expect(ok).toBe(true);
    const found = Object.fromEntries(steps.map(({ name, detail }) => [name, detail]));
    expect(Object.keys(found)).toEqual([
      ...['options', 'endpoint', 'clock', 'credentials', 'bucket'],
      ...['write', 'look', 'read', 'create only', 'link', 'pages', 'life of links', 'delete'],
    ]);
    expect(found['options']).toContain('gs://films/archive/');
    expect(found['options']).toContain(server.serviceAccount().client_email);
    expect(found['credentials']).toMatch(/until \d{4}-/);
    expect(found['life of links']).toContain('168.0 hours');
    expect(found['pages']).toContain('CORS allows *');
    expect(JSON.stringify(steps)).not.toContain('PRIVATE KEY');
    expect([server.objects('films'), server.sessions()]).toEqual([[], []]);
  });

  it('says how to let pages read links', async () => {
    const server = await startServer();
    const store = await storeOf(server);

    const { steps } = await store.check('write');

    expect(steps.find(({ name }) => name === 'pages')?.detail).toContain(
      'gcloud storage buckets update gs://films --cors-file',
    );
  });

  it('of a key that may only read names what is missing', async () => {
    const server = await startServer({ serviceAccounts: { reader: READ_ONLY } });
    const store = await storeOf(server, { credentials: { ...server.serviceAccount('reader') } });

    const report = bad(await store.check('write'));

    expect(Object.keys(report)).toEqual(['write', 'delete']);
    expect(report['write']).toContain('storage.objects.create');
    expect(report['write']).toContain('roles/storage.objectUser');
  });

  it('of a missing bucket names the bucket and the option', async () => {
    const server = await startServer();
    const store = await storeOf(server, { bucket: 'nowhere' });

    const report = bad(await store.check('write'));

    expect(Object.keys(report)).toEqual(['bucket']);
    expect(report['bucket']).toMatch(/gs:\/\/nowhere.*does not exist.*option bucket/);
  });

  it('of a wrong endpoint names the option', async () => {
    const server = await startServer();
    const store = await storeOf(server, { endpoint: 'http://127.0.0.1:1' });

    const report = bad(await store.check('write'));

    expect(Object.keys(report)).toEqual(['endpoint']);
    expect(report['endpoint']).toMatch(/Nothing answers at http:\/\/127\.0\.0\.1:1.*option endpoint/);
  });

  it('of a wrong clock says by how much, and what to do', async () => {
    const server = await startServer();
    // a bucket with nothing in it, an hour ago
    const earlier = createServer((_, response) => {
      response.setHeader('date', new Date(Date.now() - 3_600_000).toUTCString());
      response.setHeader('content-type', 'application/json').end('{}');
    });
    await new Promise<void>((listening) => earlier.listen(0, '127.0.0.1', listening));
    const { port } = earlier.address() as AddressInfo;
    const store = await storeOf(server, { endpoint: `http://127.0.0.1:${port}` });

    const report = bad(await store.check('reach'));
    await new Promise((closed) => earlier.close(closed).closeAllConnections());

    expect(Object.keys(report)).toEqual(['clock']);
    expect(report['clock']).toMatch(/36\d\d s ahead of .*NTP/);
  });

  it('of credentials that are refused stops there', async () => {
    const [server, other] = [await startServer(), await startServer()];
    const store = await storeOf(server, { credentials: { ...other.serviceAccount() } });

    const report = bad(await store.check('write'));

    expect(Object.keys(report)).toEqual(['credentials']);
    expect(report['credentials']).toContain('invalid_grant');
  });
});

it("check('config') asks nobody", async () => {
  const store = new GcsStorage('gcs', {
    bucket: 'films',
    endpoint: 'https://storage.invalid',
    keyFilename: '/run/key.json',
  });

  const { ok, steps } = await store.check('config');

  expect(ok).toBe(true);
  expect(steps[0]?.detail).toContain('the file /run/key.json');
});
