import { inspect } from 'node:util';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from '@jest/globals';
import type { GcsFault } from '@paradoxon/storage-testing';
import { GcsStorage } from '../src/index.ts';
import { bodyOf, failure, keysOf, KiB, noise, startServer, storeOf } from './gcs-place.ts';

/** A refusal in Google's JSON. */
const refusal = (status: number, reason: string, message: string): GcsFault => ({
  status,
  headers: { 'content-type': 'application/json', 'x-guploader-uploadid': 'request-1' },
  body: JSON.stringify({ error: { code: status, message, errors: [{ reason, message, domain: 'global' }] } }),
});

describe('a missing permission', () => {
  it.each([
    ['put', 'storage.objects.create'],
    ['open', 'storage.objects.get'],
    ['head', 'storage.objects.get'],
    ['delete', 'storage.objects.delete'],
    ['list', 'storage.objects.list'],
  ])('of %s is named: %s', async (operation, permission) => {
    const all = ['create', 'get', 'delete', 'list'].map((verb) => `storage.objects.${verb}`);
    const permissions = all.filter((name) => name !== permission);
    const server = await startServer({ serviceAccounts: { films: { permissions } } });
    server.put('films', 'a', Buffer.from('bytes'));
    const store = await storeOf(server, { credentials: { ...server.serviceAccount('films') } });
    const calls: Record<string, () => Promise<unknown>> = {
      put: () => store.put('b', bodyOf('bytes')),
      open: () => store.open('a'),
      head: () => store.head('a'),
      delete: () => store.delete('a'),
      list: () => keysOf(store),
    };

    const error = await failure(calls[operation]?.() ?? Promise.resolve());

    expect(error).toMatchObject({
      code: 'PERMISSION_DENIED',
      operation,
      httpStatus: 403,
      retry: 'never',
      committed: 'no',
    });
    expect(error.message).toContain(`the permission ${permission} on the bucket`);
    expect(error.message).toContain(server.serviceAccount('films').client_email);
  });

  it('to overwrite is named, too', async () => {
    const permissions = ['storage.objects.create', 'storage.objects.get'];
    const server = await startServer({ serviceAccounts: { films: { permissions } } });
    const store = await storeOf(server, { credentials: { ...server.serviceAccount('films') }, partBytes: 256 * KiB });
    await store.put('a', bodyOf('bytes'));

    for (const bytes of [10, 300 * KiB]) {
      const error = await failure(store.put('a', bodyOf(noise(bytes))));
      expect(error).toMatchObject({ code: 'PERMISSION_DENIED', committed: 'no' });
      expect(error.message).toContain('storage.objects.delete');
    }
  });
});

describe('a missing bucket', () => {
  it('is a wrong option in every call, and never a missing object', async () => {
    const server = await startServer();
    const store = await storeOf(server, { bucket: 'nowhere' });
    const calls = [
      () => store.put('a', bodyOf('bytes')),
      () => store.put('a', bodyOf('bytes'), { ifAbsent: true }),
      () => store.open('a'),
      () => store.head('a'),
      () => store.delete('a'),
      () => keysOf(store),
    ];

    for (const call of calls) {
      const error = await failure(call());
      expect(error).toMatchObject({ code: 'INVALID_CONFIG', retry: 'never' });
      expect(error.message).toContain('gs://nowhere');
    }
  });
});

describe('what Google answers', () => {
  it.each([
    [401, 'authError', 'Invalid Credentials', 'UNAUTHENTICATED', 'never'],
    [403, 'rateLimitExceeded', 'Rate Limit Exceeded', 'RATE_LIMITED', 'after'],
    [403, 'quotaExceeded', 'The quota is used up.', 'QUOTA_EXCEEDED', 'never'],
    [403, 'userProjectAccountProblem', 'The billing account is closed.', 'QUOTA_EXCEEDED', 'never'],
    [403, 'forbidden', 'Object is under active Temporary hold.', 'PERMISSION_DENIED', 'never'],
    [408, 'uploadBrokenConnection', 'The request was too slow.', 'TIMEOUT', 'safe'],
    [413, 'uploadTooLarge', 'Your client issued a request that was too large.', 'TOO_LARGE', 'never'],
    [412, 'conditionNotMet', 'At least one pre-condition did not hold.', 'PRECONDITION_FAILED', 'never'],
    [416, 'requestedRangeNotSatisfiable', 'Request range not satisfiable', 'RANGE_NOT_SATISFIABLE', 'never'],
    [429, 'rateLimitExceeded', 'The object exceeded the rate limit.', 'RATE_LIMITED', 'after'],
    [500, 'internalError', 'We encountered an internal error.', 'UNAVAILABLE', 'safe'],
    [400, 'invalid', 'Invalid bucket name: ..', 'INVALID_CONFIG', 'never'],
    [400, 'invalid', 'Something that nobody foresaw.', 'INTERNAL', 'never'],
  ])('with %i %s (%s) is %s', async (status, reason, message, code, retry) => {
    const server = await startServer();
    const store = await storeOf(server);
    const fault = refusal(status, reason, message);
    server.fail('GET /storage/v1/b/films/o/a', [fault, fault, fault]);

    const error = await failure(store.head('a'));

    expect(error).toMatchObject({ code, retry, httpStatus: status, storage: 'gcs', operation: 'head', key: 'a' });
    expect(error).toMatchObject({ requestId: 'request-1', committed: 'no' });
    expect(error.message).toContain(message);
    expect(error.message).toContain('Storage "gcs" (gs://films)');
  });

  it('with Retry-After says how long to wait, also as a date', async () => {
    const server = await startServer();
    const store = await storeOf(server);
    const date = new Date(Date.now() + 5000).toUTCString();
    server.fail('GET', [
      { status: 503, headers: { 'retry-after': '30' } },
      { status: 429, headers: { 'retry-after': date } },
    ]);

    expect(await failure(store.head('a'))).toMatchObject({ code: 'UNAVAILABLE', retry: 'after', retryAfterMs: 30_000 });
    const dated = await failure(store.head('a'));
    expect(dated.retryAfterMs).toBeGreaterThan(2000);
    expect(dated.retryAfterMs).toBeLessThanOrEqual(5000);
  });
});

describe('a server that is none of Google', () => {
  it.each([
    [404, 'text/html', '<h1>Not Found</h1>'],
    [301, 'text/html', ''],
    [200, 'text/html', '<h1>Please sign in to this network</h1>'],
    [200, 'application/json', '{"kind":"something else"}'],
  ])('and answers %i %s is a wrong option, and never a missing object', async (status, type, body) => {
    const server = await startServer();
    const store = await storeOf(server);
    const headers = { 'content-type': type, location: 'https://elsewhere.example/' };
    server.fail('GET', [{ status, headers, body }]);

    const error = await failure(store.head('a'));

    expect(error.code).toBe('INVALID_CONFIG');
    expect(error.message).toContain('endpoint');
  });

  it('is not there at all', async () => {
    const gone = createServer();
    await new Promise<void>((listening) => gone.listen(0, '127.0.0.1', listening));
    const { port } = gone.address() as AddressInfo;
    await new Promise((closed) => gone.close(closed));
    const server = await startServer();
    const store = await storeOf(server, { endpoint: `http://127.0.0.1:${port}` });

    const error = await failure(store.put('a', bodyOf('bytes')));

    expect(error).toMatchObject({ code: 'NETWORK', retry: 'safe', committed: 'no' });
    expect(error.message).toContain('ECONNREFUSED');
  });
});

describe('errors', () => {
  it('keep neither tokens nor the names of upload sessions, nor the bytes', async () => {
    const server = await startServer();
    const store = await storeOf(server, { partBytes: 256 * KiB });
    server.fail({ method: 'PUT' }, ['reset', 'reset', 'reset']);

    const error = await failure(store.put('a', bodyOf(noise(600 * KiB))));

    const shown = inspect(error, { depth: 10, showHidden: true });
    expect(error.code).toBe('NETWORK');
    expect(shown).not.toMatch(/upload_id|Bearer|authorization|private_key|<Buffer/i);
  });

  it('of a key that breaks the rules name the key and ask nothing', async () => {
    const store = new GcsStorage('gcs', { bucket: 'films', credentials: { type: 'authorized_user' } });

    expect(await failure(store.head('../a'))).toMatchObject({ code: 'INVALID_KEY', key: '../a', storage: 'gcs' });
    expect(() => store.locate('/a')).toThrow(expect.objectContaining({ code: 'INVALID_KEY' }));
  });
});
