import { createHmac } from 'node:crypto';
import { symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { LocalStorage } from '../src/index.ts';
import { bodyOf, emptyFolder } from './folder.ts';
import { KEY, storeWithLinks } from './link-server.ts';

const BASE64URL = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

/** A store with one object and its link. */
async function linked(key = 'films/f 1/ä+#?%2F.mp4') {
  const root = await emptyFolder();
  const { store, log, baseUrl } = await storeWithLinks(root);
  const stored = await store.put(key, bodyOf('0123456789'), { contentType: 'video/mp4', cacheControl: 'max-age=60' });
  const issued = await store.resolveUrl(key);
  return { root, store, log, baseUrl, key, stored, url: issued.url, issued };
}

async function problemOf(response: Response): Promise<unknown> {
  expect(response.headers.get('content-type')).toBe('application/problem+json');
  return response.json();
}

describe('a link', () => {
  it('plays the object over plain HTTP: whole, in ranges, and its head', async () => {
    const { url, stored } = await linked();

    const whole = await fetch(url);
    const range = await fetch(url, { headers: { range: 'bytes=2-4' } });
    const head = await fetch(url, { method: 'HEAD' });

    expect(whole.status).toBe(200);
    expect(await whole.text()).toBe('0123456789');
    expect(whole.headers.get('content-type')).toBe('video/mp4');
    expect(whole.headers.get('cache-control')).toBe('max-age=60');
    expect(whole.headers.get('etag')).toBe(`"${stored.etag}"`);
    expect(range.status).toBe(206);
    expect(range.headers.get('content-range')).toBe('bytes 2-4/10');
    expect(await range.text()).toBe('234');
    expect(head.status).toBe(200);
    expect(head.headers.get('content-length')).toBe('10');
  });

  it('says when it ends, and never lives longer than 7 days', async () => {
    const { store } = await linked();
    const in15Minutes = Date.now() + 900_000;

    const usual = await store.resolveUrl('a');
    const short = await store.resolveUrl('a', { ttlSeconds: 60 });
    const long = await store.resolveUrl('a', { ttlSeconds: 30 * 86_400 });

    expect(Math.abs((usual.expiresAt?.getTime() ?? 0) - in15Minutes)).toBeLessThan(2000);
    expect(new URL(short.url).searchParams.get('expires')).toBe(String((short.expiresAt?.getTime() ?? 0) / 1000));
    expect(Math.abs((short.expiresAt?.getTime() ?? 0) - (in15Minutes - 840_000))).toBeLessThan(2000);
    expect((long.expiresAt?.getTime() ?? 0) - Date.now()).toBeLessThanOrEqual(604_800_000);
    expect(usual.supportsRange).toBe(true);
  });

  it('is signed over storage, key and end with HMAC-SHA256', async () => {
    const { store } = await linked();

    const { url } = await store.resolveUrl('films/1.mp4');

    const { searchParams } = new URL(url);
    const signed = JSON.stringify(['disk', 'films/1.mp4', Number(searchParams.get('expires'))]);
    expect(searchParams.get('signature')).toBe(createHmac('sha256', KEY).update(signed).digest('base64url'));
  });

  it('is gone with 410 when its time is over', async () => {
    const { store, key } = await linked();
    const { url, expiresAt } = await store.resolveUrl(key, { ttlSeconds: -5 });

    const response = await fetch(url);

    expect(expiresAt?.getTime()).toBeLessThan(Date.now());
    expect(response.status).toBe(410);
    expect(await problemOf(response)).toMatchObject({ status: 410, title: 'Gone' });
  });

  it.each([
    { forgery: 'another key', forge: (url: string) => url.replace('films', 'filmz') },
    {
      forgery: 'a later end',
      forge: (url: string) => url.replace(/expires=(\d+)/, (_, at) => `expires=${Number(at) + 1}`),
    },
    {
      forgery: 'another last character',
      // decodes to the same 32 bytes: the last of 43 characters has two bits to spare
      forge: (url: string) => url.slice(0, -1) + BASE64URL.charAt(BASE64URL.indexOf(url.slice(-1)) + 1),
    },
    { forgery: 'a shorter signature', forge: (url: string) => url.slice(0, -1) },
    { forgery: 'a longer signature', forge: (url: string) => `${url}A` },
    { forgery: 'no signature', forge: (url: string) => url.replace(/&signature=.*/, '') },
    { forgery: 'no query', forge: (url: string) => url.replace(/\?.*/, '') },
    { forgery: 'an end that is no number', forge: (url: string) => url.replace(/expires=\d+/, 'expires=never') },
    { forgery: 'broken encoding', forge: (url: string) => url.replace('films', '%E0%A4%A') },
  ])('with $forgery is refused with 403', async ({ forge }) => {
    const { url } = await linked();

    const response = await fetch(forge(url));

    expect(response.status).toBe(403);
    expect(await problemOf(response)).toMatchObject({ status: 403, title: 'Forbidden' });
  });

  it('of one storage is worth nothing at another with the same secret, nor without the option', async () => {
    const { store, root } = await linked();
    const other = new LocalStorage('other', { root, links: { baseUrl: 'http://127.0.0.1/', key: KEY } });
    const { searchParams } = new URL((await store.resolveUrl('a')).url);
    const [expires, signature] = [Number(searchParams.get('expires')), searchParams.get('signature') ?? ''];

    expect(store.verifyLink('a', expires, signature)).toBe('valid');
    expect(other.verifyLink('a', expires, signature)).toBe('forged');
    expect(new LocalStorage('disk', { root }).verifyLink('a', expires, signature)).toBe('forged');
  });

  it('still works when a proxy has put a parameter of its own behind it', async () => {
    const { url } = await linked();

    expect((await fetch(`${url}&utm_source=mail`)).status).toBe(200);
  });

  it('is for reading only', async () => {
    const { url, store, key } = await linked();

    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS']) {
      const response = await fetch(url, { method });
      expect(response.status).toBe(405);
      expect(response.headers.get('allow')).toBe('GET, HEAD');
    }
    expect(await store.head(key)).toMatchObject({ size: 10 });
  });

  it('to nothing is answered with 404, and nobody is told of a defect', async () => {
    const { store, log } = await linked();

    const response = await fetch((await store.resolveUrl('films/none.mp4')).url);

    expect(response.status).toBe(404);
    expect(await problemOf(response)).toMatchObject({ status: 404 });
    expect(log).toEqual([]);
  });

  it('to what the folder cannot give is answered, without saying what the server knows, and told to the host', async () => {
    const { store, log, root } = await linked();
    await writeFile(join(root, 'target'), 'x');
    await symlink(join(root, 'target'), join(root, 'link'));

    const response = await fetch((await store.resolveUrl('link')).url);

    expect(response.status).toBe(500);
    expect(JSON.stringify(await problemOf(response))).not.toContain(root);
    expect(log).toMatchObject([{ code: 'INVALID_KEY' }]);
  });
});

it('issues no links without the option', async () => {
  const store = new LocalStorage('disk', { root: await emptyFolder() });

  await expect(store.resolveUrl('a')).rejects.toMatchObject({ code: 'UNSUPPORTED', storage: 'disk' });

  expect(store.capabilities.signedUrl).toBe(false);
});
