import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { ClientRequest } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { CredentialUnavailableError, type TokenCredential } from '@azure/identity';
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { storageContract } from '@paradoxon/storage-testing';
import { blocks, bodyOf, MiB, read, text } from './bodies.ts';
import { setClock } from './clock.ts';
import { credentialOf, token, useAzuriteWithTokens } from './azurite-tls.ts';

const azurite = useAzuriteWithTokens();
const WEEK = 604_800;

afterEach(() => void jest.useRealTimers());

describe('with an identity in the place of a key, the store keeps the storage contract', () => {
  const cases = storageContract({
    supports: {
      write: true,
      range: true,
      ifMatch: true,
      createIfAbsent: true,
      unknownSize: true,
      list: true,
      sweepIncomplete: true,
      signedUrl: { maxTtlSeconds: WEEK - 900 },
      checksums: ['md5'],
      maxObjectBytes: 50_000 * 8 * MiB,
    },
    create: () => azurite.store(),
  });
  for (const { title, run } of cases.filter(({ title }) => /^(urls|upkeep|listing|declaring)/.test(title)))
    it(title, run, 60_000);
});

it('writes and reads over TLS, whole and in blocks', async () => {
  const store = await azurite.store({ partBytes: 65_536 });
  const bytes = blocks(5);

  await store.put('a', bodyOf(bytes));

  expect((await read(store, 'a')).equals(bytes)).toBe(true);
});

describe('links', () => {
  const keyStart = (url: string) => new URL(url).searchParams.get('skt');

  it('of an identity share one key, until it is too old for the life that is wanted', async () => {
    const store = await azurite.store();
    const week = { ttlSeconds: WEEK };
    const asked: string[] = [];
    const listen = (message: unknown): void => void asked.push((message as { request: ClientRequest }).request.path);
    subscribe('http.client.request.start', listen);

    const [one, two] = await Promise.all([store.resolveUrl('a', week), store.resolveUrl('b')]);
    setClock(Date.now() + 50 * 60_000);
    const three = await store.resolveUrl('a', week);
    jest.setSystemTime(Date.now() + 20 * 60_000);
    const short = await store.resolveUrl('a');
    const four = await store.resolveUrl('a', week);

    unsubscribe('http.client.request.start', listen);
    expect(asked.filter((path) => path.includes('userdelegationkey'))).toHaveLength(2);
    expect(keyStart(two.url)).toBe(keyStart(one.url));
    expect(keyStart(three.url)).toBe(keyStart(one.url));
    expect(keyStart(short.url)).toBe(keyStart(one.url));
    expect(keyStart(four.url)).not.toBe(keyStart(one.url));
    // the truth: this one ends with the key, which is 50 minutes old
    const keyEnds = Date.parse(new URL(one.url).searchParams.get('ske') ?? '');
    expect(three.expiresAt?.getTime()).toBe(keyEnds);
    expect(new URL(three.url).searchParams.get('se')).toBe(new URL(one.url).searchParams.get('ske'));
  });

  it('are for reading one blob over https only, have no beginning, and say their end to the second', async () => {
    const store = await azurite.store();

    const { url, expiresAt } = await store.resolveUrl('a', { ttlSeconds: 60 });

    const query = Object.fromEntries(new URL(url).searchParams);
    expect(query).toMatchObject({ sp: 'r', sr: 'b', spr: 'https', se: expiresAt?.toISOString().replace('.000Z', 'Z') });
    expect(query).not.toHaveProperty('st');
  });

  it('are not there for a SAS token, which would open more than one object', async () => {
    const store = await azurite.store({ credential: 'sv=2026-02-06&sr=c&sp=rwdl&sig=YQ%3D%3D' });

    await expect(store.resolveUrl('a')).rejects.toMatchObject({
      code: 'UNSUPPORTED',
      storage: 'az',
      operation: 'resolveUrl',
    });
    await expect(store.resolveUrl('a')).rejects.toThrow('use an identity');
  });
});

describe('a token', () => {
  it('that cannot be had is said with the places where it is looked for', async () => {
    const none: TokenCredential = {
      getToken: () => Promise.reject(new CredentialUnavailableError('No identity here.\nLong story')),
    };
    const store = await azurite.store({ credential: none });

    for (const call of [() => store.head('a'), () => store.put('a', text('bytes')), () => store.resolveUrl('a')]) {
      const error = await call().catch((reason: unknown) => reason);
      expect(error).toMatchObject({ code: 'UNAUTHENTICATED', retry: 'never' });
      expect(String(error)).toContain('az login');
      expect(String(error)).toContain('No identity here.)');
    }
  });

  it('that has ended is refused', async () => {
    const past = Math.floor(Date.now() / 1000) - 7200;
    const store = await azurite.store({ credential: credentialOf(token({ iat: past, nbf: past, exp: past + 3600 })) });

    await expect(store.put('a', text('bytes'))).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
  });

  it('that never comes is waited for no longer than for a silent server', async () => {
    let asked = 0;
    const silent: TokenCredential = {
      getToken: () => {
        asked += 1;
        return new Promise(() => undefined);
      },
    };
    const store = await azurite.store({ credential: silent, idleTimeoutMs: 150 });

    for (const call of [() => store.head('a'), () => store.put('a', text('bytes')), () => store.resolveUrl('a')]) {
      asked = 0;
      await expect(call()).rejects.toMatchObject({ code: 'TIMEOUT', retry: 'safe', committed: 'no' });
      expect(asked).toBeLessThanOrEqual(3);
    }
  });

  it('that one call no longer waits for still serves the others', async () => {
    const slow = Promise.withResolvers<void>();
    let asked = 0;
    const credential: TokenCredential = {
      getToken: async (_, options) => {
        asked += 1;
        await Promise.race([
          slow.promise,
          new Promise((_, reject) => options?.abortSignal?.addEventListener('abort', reject)),
        ]);
        return { token: token(), expiresOnTimestamp: Date.now() + 3_600_000 };
      },
    };
    const store = await azurite.store({ credential });
    const abort = new AbortController();

    const first = store.head('a', { signal: abort.signal });
    const second = store.head('a');
    await sleep(20);
    abort.abort();
    await expect(first).rejects.toMatchObject({ code: 'ABORTED' });
    slow.resolve();

    await expect(second).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect(asked).toBe(1);
  });
});
