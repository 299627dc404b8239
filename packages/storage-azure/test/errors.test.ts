import { inspect } from 'node:util';
import type { ContainerClient } from '@azure/storage-blob';
import { describe, expect, it } from '@jest/globals';
import type { StorageErrorCode } from '@paradoxon/storage';
import { type AzureStorage } from '../src/index.ts';
import { sasFor, useAzurite } from './azurite.ts';
import { blocks, bodyOf, keysOf, KiB, text } from './bodies.ts';

const azurite = useAzurite();

/** Every method that asks the server, by name. */
const calls = (store: AzureStorage): [name: string, call: () => Promise<unknown>][] => [
  ['put', () => store.put('a', text('bytes'))],
  ['put in blocks', () => store.put('a', bodyOf(blocks(3)))],
  ['put, create only', () => store.put('a', bodyOf(blocks(3)), { ifAbsent: true })],
  ['open', () => store.open('a')],
  ['open a suffix', () => store.open('a', { range: { suffix: 1 } })],
  ['head', () => store.head('a')],
  ['delete', () => store.delete('a')],
  ['delete a version', () => store.delete('a', { ifMatch: '"0x1"' })],
  ['list', () => keysOf(store)],
  ['sweep', () => store.sweepIncomplete(new Date())],
];

describe('what Azurite answers', () => {
  it('to every call on a missing container: the setting is wrong, and which', async () => {
    const store = await azurite.store({ container: 'never-made', partBytes: 65_536 });

    for (const [name, call] of calls(store)) {
      const error = await call().catch((reason: unknown) => reason);
      expect([name, error]).toEqual([name, expect.objectContaining({ code: 'INVALID_CONFIG', storage: 'az' })]);
      expect(String(error)).toContain('container never-made');
    }
  });

  it('to a wrong key: the credentials are refused', async () => {
    const store = await azurite.store({ credential: Buffer.alloc(64, 1).toString('base64') });

    // the answer to a HEAD has no text, and Azurite's code for it is that of a missing permission
    const codes = { head: 'PERMISSION_DENIED', 'open a suffix': 'PERMISSION_DENIED' };
    for (const [name, call] of calls(store)) {
      const code = name in codes ? codes[name as keyof typeof codes] : 'UNAUTHENTICATED';
      expect([name, await call().catch((error: unknown) => error)]).toEqual([name, expect.objectContaining({ code })]);
    }
  });

  it('to a SAS token that has ended: the credentials are refused', async () => {
    const container = await azurite.container();
    const credential = sasFor(azurite.server(), container.containerName, 'rwdl', {
      expiresOn: new Date(Date.now() - 60_000),
    });
    const store = await azurite.store({ container: container.containerName, credential });

    await expect(store.put('a', text('bytes'))).rejects.toMatchObject({ code: 'UNAUTHENTICATED', httpStatus: 403 });
  });

  it.each([
    { permissions: 'rl', refused: 'put', needs: 'permission w' },
    { permissions: 'rwl', refused: 'delete', needs: 'permission d' },
    { permissions: 'rwd', refused: 'list', needs: 'permission l' },
    { permissions: 'wdl', refused: 'head', needs: 'permission r' },
    { permissions: 'wdl', refused: 'open', needs: 'permission r' },
  ])('to $refused with a SAS token of $permissions: it needs $needs', async ({ permissions, refused, needs }) => {
    const container = await azurite.container();
    await container.getBlockBlobClient('a').upload('bytes', 5);
    const credential = sasFor(azurite.server(), container.containerName, permissions);
    const store = await azurite.store({ container: container.containerName, credential });
    const [, call] = calls(store).find(([name]) => name === refused) ?? [];

    const error = await call?.().catch((reason: unknown) => reason);

    expect(error).toMatchObject({ code: 'PERMISSION_DENIED', retry: 'never', committed: 'no', httpStatus: 403 });
    expect(String(error)).toContain(needs);
    expect(String(error)).toContain('Storage Blob Data Contributor');
  });

  const protections: {
    what: string;
    given: (container: ContainerClient) => Promise<unknown>;
    call: (store: AzureStorage) => Promise<unknown>;
    code: StorageErrorCode;
    says: string;
  }[] = [
    {
      what: 'a write of a leased blob',
      given: (container) => container.getBlobClient('a').getBlobLeaseClient().acquireLease(15),
      call: (store) => store.put('a', text('new')),
      code: 'PERMISSION_DENIED',
      says: 'lease',
    },
    {
      what: 'a delete of a blob with snapshots',
      given: (container) => container.getBlobClient('a').createSnapshot(),
      call: (store) => store.delete('a'),
      code: 'PERMISSION_DENIED',
      says: 'snapshots',
    },
    {
      what: 'a read of what is in the archive',
      given: (container) => container.getBlobClient('a').setAccessTier('Archive'),
      call: (store) => store.open('a'),
      code: 'UNAVAILABLE',
      says: 'archive tier',
    },
    {
      what: "an upload where another program's blocks lie",
      given: (container) => container.getBlockBlobClient('b').stageBlock('YQ==', 'abc', 3),
      call: (store) => store.put('b', bodyOf(blocks(3))),
      code: 'UNAVAILABLE',
      says: 'another program',
    },
    {
      what: 'an upload in blocks over an append blob',
      given: (container) => container.getAppendBlobClient('b').create(),
      call: (store) => store.put('b', bodyOf(blocks(3))),
      code: 'PERMISSION_DENIED',
      says: 'append or page blob',
    },
  ];
  it.each(protections)('to $what: $code, $says', async ({ given, call, code, says }) => {
    const { store, container } = await azurite.proxied();
    await container.getBlockBlobClient('a').upload('bytes', 5);
    await given(container);

    const error = await call(store).catch((reason: unknown) => reason);

    expect(error).toMatchObject({ code, retry: 'never', committed: 'no' });
    expect(String(error)).toContain(says);
  });

  it('to a delete of what is not there, with and without a version: nothing to complain of', async () => {
    const store = await azurite.store();
    const { etag = '' } = await store.put('a', text('bytes'));
    await store.delete('a', { ifMatch: etag });

    await expect(store.delete('a', { ifMatch: etag })).resolves.toBeUndefined();
    await expect(store.delete('a')).resolves.toBeUndefined();
  });
});

// answers of the real service that Azurite never gives, from a proxy before it
describe('what Azure answers', () => {
  const answers: { status: number; code: string; becomes: StorageErrorCode; says?: string }[] = [
    { status: 403, code: 'AuthenticationFailed', becomes: 'UNAUTHENTICATED', says: 'clock of this machine' },
    { status: 403, code: 'AuthorizationFailure', becomes: 'PERMISSION_DENIED', says: 'network rule' },
    { status: 403, code: 'AuthorizationPermissionMismatch', becomes: 'PERMISSION_DENIED', says: 'blobs/read' },
    { status: 403, code: 'InsufficientAccountPermissions', becomes: 'PERMISSION_DENIED', says: 'permission r' },
    {
      status: 403,
      code: 'KeyBasedAuthenticationNotPermitted',
      becomes: 'PERMISSION_DENIED',
      says: 'AllowSharedKeyAccess',
    },
    { status: 403, code: 'AuthorizationProtocolMismatch', becomes: 'PERMISSION_DENIED', says: 'https' },
    { status: 401, code: 'InvalidAuthenticationInfo', becomes: 'UNAUTHENTICATED', says: 'has ended' },
    { status: 401, code: 'NoAuthenticationInformation', becomes: 'UNAUTHENTICATED' },
    { status: 409, code: 'ContainerBeingDeleted', becomes: 'UNAVAILABLE' },
    { status: 409, code: 'BlobImmutableDueToPolicy', becomes: 'PERMISSION_DENIED', says: 'immutability' },
    { status: 409, code: 'AccountBeingCreated', becomes: 'UNAVAILABLE' },
    { status: 400, code: 'AccountRequiresHttps', becomes: 'INVALID_CONFIG', says: 'https://' },
    { status: 400, code: 'InvalidHeaderValue', becomes: 'INVALID_CONFIG', says: 'accessTier' },
    { status: 418, code: 'SomethingNew', becomes: 'INTERNAL', says: 'SomethingNew, 418' },
    { status: 403, code: 'SomethingNew', becomes: 'PERMISSION_DENIED' },
    { status: 500, code: 'SomethingNew', becomes: 'UNAVAILABLE' },
  ];
  it.each(answers)('with $status $code becomes $becomes', async ({ status, code, becomes, says = '' }) => {
    const { proxy, store } = await azurite.proxied();
    proxy.treat(() => ({ answer: { status, code } }));

    const error = await store.open('a').catch((reason: unknown) => reason);

    expect(error).toMatchObject({
      code: becomes,
      httpStatus: status,
      requestId: 'canned-1',
      operation: 'open',
      key: 'a',
    });
    expect(String(error)).toContain(says);
    expect(String(error)).toContain(code);
  });

  it('to a HEAD, which has no text, is understood as well', async () => {
    const { proxy, store } = await azurite.proxied();
    proxy.treat(() => ({ answer: { status: 403, code: 'AuthorizationPermissionMismatch' } }));

    await expect(store.head('a')).rejects.toMatchObject({ code: 'PERMISSION_DENIED' });
  });

  it('with 404 without a code says nothing about the object: something else answers', async () => {
    const { proxy, store } = await azurite.proxied();
    proxy.treat(() => ({ answer: { status: 404 } }));

    for (const call of [() => store.head('a'), () => store.open('a'), () => store.delete('a')]) {
      await expect(call()).rejects.toMatchObject({ code: 'INVALID_CONFIG' });
    }
  });

  it.each([
    { header: '7', ms: 7000 },
    { header: new Date(Date.now() + 60_000).toUTCString(), ms: expect.any(Number) },
  ])('with ServerBusy keeps Retry-After: $header', async ({ header, ms }) => {
    const { proxy, store } = await azurite.proxied();
    proxy.treat(() => ({ answer: { status: 503, code: 'ServerBusy', headers: { 'retry-after': header } } }));

    for (const call of [() => store.head('a'), () => store.put('a', text('bytes'))]) {
      await expect(call()).rejects.toMatchObject({
        code: 'RATE_LIMITED',
        retry: 'after',
        retryAfterMs: ms,
        committed: 'no',
      });
    }
  });

  it('to a write, with 500, leaves open whether it was carried out', async () => {
    const { proxy, store } = await azurite.proxied();
    proxy.treat(() => ({ answer: { status: 500, code: 'OperationTimedOut' } }));

    await expect(store.put('a', text('bytes'))).rejects.toMatchObject({ code: 'UNAVAILABLE', committed: 'unknown' });
    await expect(store.delete('a')).rejects.toMatchObject({ code: 'UNAVAILABLE', committed: 'unknown' });
    await expect(store.head('a')).rejects.toMatchObject({ code: 'UNAVAILABLE', committed: 'no' });
  });
});

describe('a server that', () => {
  it('is not there is said quickly, and that nothing was written', async () => {
    const { proxy, store } = await azurite.proxied();
    await proxy.close();

    const began = Date.now();
    for (const [, call] of calls(store)) {
      await expect(call()).rejects.toMatchObject({ code: 'NETWORK', retry: 'safe', committed: 'no' });
    }

    expect(Date.now() - began).toBeLessThan(10 * 2000);
  }, 30_000);

  it('has no such name: the account is misspelled', async () => {
    const store = await azurite.store({ accountUrl: 'https://nobody.blob.core.invalid' });

    const error = await store.head('a').catch((reason: unknown) => reason);

    expect(error).toMatchObject({ code: 'NETWORK', committed: 'no' });
    expect(String(error)).toContain('spelled right');
  });
});

it('keeps of a request that failed neither the bytes nor the credentials', async () => {
  const { proxy, store } = await azurite.proxied();
  proxy.treat(() => ({ answer: { status: 403, code: 'AuthorizationPermissionMismatch' } }));

  const error = await store.put('a', bodyOf(Buffer.alloc(32 * KiB, 'bytes'))).catch((reason: unknown) => reason);

  expect(error).toMatchObject({ code: 'PERMISSION_DENIED', cause: { name: 'RestError', statusCode: 403 } });
  const kept = inspect(error, { depth: Infinity, showHidden: true, maxStringLength: Infinity });
  expect(Object.getOwnPropertyNames((error as Error).cause)).not.toContain('request');
  expect(kept).not.toContain('SharedKey ');
});

it('tells nobody a secret: neither the message, nor the error printed with all its causes', async () => {
  const { proxy, container } = await azurite.proxied();
  const sas = sasFor(azurite.server(), container.containerName, 'rl');
  const signature = new URLSearchParams(sas).get('sig') ?? '';
  const { accountKey } = azurite.server();
  const credentials = [sas, accountKey];

  for (const credential of credentials) {
    const store = await azurite.store({ accountUrl: proxy.endpoint, container: container.containerName, credential });
    proxy.treat(() => ({ answer: { status: 403, code: 'AuthorizationPermissionMismatch' } }));
    for (const [, call] of calls(store)) {
      const error = await call().catch((reason: unknown) => reason);
      const printed = `${String(error)} ${inspect(error, { depth: 9 })} ${JSON.stringify(error)} ${inspect(store, { depth: 9 })}`;
      for (const secret of [signature, encodeURIComponent(signature), accountKey])
        expect(printed).not.toContain(secret);
    }
  }
});
