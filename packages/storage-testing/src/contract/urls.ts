import assert from 'node:assert/strict';
import { get } from 'node:http';
import { get as getTls } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import type { IssuedUrl, StorageCapabilities } from '@paradoxon/storage';
import { noiseBytes } from '../noise.ts';
import { sameBytes } from './expectations.ts';
import { type Rule, writable } from './rule.ts';

const issues = ({ signedUrl }: StorageCapabilities): boolean => signedUrl !== false;
/** A read-only plugin hands out somebody else's links: it answers neither for their life nor for their signature. */
const signs = ({ write, signedUrl }: StorageCapabilities): boolean => write && signedUrl !== false;
const LOOPBACK = ['127.0.0.1', '[::1]', 'localhost'];
const CLOCKS_MS = 2000;

interface Answer {
  readonly status: number;
  readonly headers: NodeJS.Dict<string | string[]>;
  readonly body: Buffer;
}

function fetched(url: string | URL, headers: Record<string, string> = {}): Promise<Answer> {
  const request = new URL(url).protocol === 'https:' ? getTls : get;
  return new Promise((resolve, reject) => {
    request(url, { headers, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) }),
      );
    }).on('error', reject);
  });
}

/** Only where nobody else pays: a link is tampered with on loopback hosts alone. */
const isLoopback = ({ url }: IssuedUrl): boolean => LOOPBACK.includes(new URL(url).hostname);

function isRefusal({ status }: Answer, what: string): void {
  assert.ok(
    status >= 400 && status < 500,
    `The contract expects ${what} to be refused; it was answered with ${status}.`,
  );
}

/** One character in the middle of the longest value in the query is another one. */
function tampered(url: string): URL | undefined {
  const altered = new URL(url);
  const [name, value] = [...altered.searchParams].sort(([, a], [, b]) => b.length - a.length)[0] ?? [];
  if (name === undefined || !value) return undefined;
  const at = Math.floor(value.length / 2);
  altered.searchParams.set(name, value.slice(0, at) + (value[at] === 'a' ? 'b' : 'a') + value.slice(at + 1));
  return altered;
}

/** resolveUrl and locate. */
export const urls: readonly Rule[] = [
  {
    title: 'issues a URL that plain HTTP can GET',
    when: issues,
    check: async (given) => {
      const { key, bytes } = await given.object();
      const { url } = await given.store.resolveUrl(key);
      const answer = await fetched(url);
      assert.equal(answer.status, 200, 'The contract expects an issued URL to be answered with 200.');
      sameBytes(answer.body, bytes, 'an issued URL to give the bytes of the object');
      if (!given.claims.write) return;
      assert.equal(answer.headers['content-type'], 'video/mp4', 'The contract expects a URL to keep the content type.');
    },
  },
  {
    title: 'issues a URL that answers a range with 206, as it says',
    when: issues,
    check: async (given) => {
      const { key, bytes } = await given.object();
      const { url, supportsRange } = await given.store.resolveUrl(key);
      const answer = await fetched(url, { range: 'bytes=0-0' });
      assert.equal(answer.status, supportsRange ? 206 : 200, `The status must fit supportsRange: ${supportsRange}.`);
      if (supportsRange) {
        sameBytes(answer.body, bytes.subarray(0, 1), 'bytes=0-0 to give the first byte');
        assert.equal(answer.headers['content-range'], `bytes 0-0/${bytes.byteLength}`, 'Content-Range must be exact.');
      }
    },
  },
  {
    title: 'issues a URL for every key, however odd',
    when: signs,
    check: async (given) => {
      for (const [n, key] of ["odd/a b+c%20d?e=f#g&h;'(é).mp4", 'odd/%2e%2e/%2F.mp4'].entries()) {
        await given.put(key, noiseBytes(100, n));
        const { body } = await fetched((await given.store.resolveUrl(key)).url);
        sameBytes(body, noiseBytes(100, n), `the URL of ${key} to give its object`);
      }
    },
  },
  {
    title: 'issues URLs that live no longer than asked for',
    when: signs,
    check: async (given) => {
      const { key } = await given.object();
      const asked = 60;
      const { expiresAt } = await given.store.resolveUrl(key, { ttlSeconds: asked });
      const now = Date.now();
      assert.ok(expiresAt, 'The contract expects a signed URL to say when it expires.');
      assert.ok(expiresAt.getTime() > now, 'The contract expects an issued URL to be still alive.');
      assert.ok(
        expiresAt.getTime() <= now + asked * 1000 + CLOCKS_MS,
        `The contract expects a URL asked for ${asked} s to expire by then, not at ${expiresAt.toISOString()}.`,
      );
    },
  },
  {
    title: 'issues URLs that live no longer than its maximum, whatever is asked for',
    when: signs,
    check: async (given) => {
      const { signedUrl } = given.claims;
      const max = signedUrl === false ? 0 : signedUrl.maxTtlSeconds;
      const { key } = await given.object();
      const { expiresAt } = await given.store.resolveUrl(key, { ttlSeconds: max + 3600 });
      assert.ok(
        expiresAt && expiresAt.getTime() <= Date.now() + max * 1000 + CLOCKS_MS,
        `The contract expects expiresAt to be the truth: at most ${max} s from now.`,
      );
    },
  },
  {
    title: 'issues a URL without asking whether the object exists',
    when: signs,
    check: async ({ store }) => {
      const issued = await store.resolveUrl('never/there.mp4');
      if (isLoopback(issued)) isRefusal(await fetched(issued.url), 'the URL of an absent object');
    },
  },
  {
    title: 'has an altered link refused, on a loopback host',
    when: signs,
    check: async (given) => {
      await given.put('one.mp4', noiseBytes(100, 1));
      await given.put('two.mp4', noiseBytes(100, 2));
      const [one, two] = [await given.store.resolveUrl('one.mp4'), await given.store.resolveUrl('two.mp4')];
      if (!isLoopback(one)) return;
      const altered = tampered(one.url);
      if (!altered) return;
      isRefusal(await fetched(altered), 'a link whose query was altered');
      const crossed = new URL(two.url);
      crossed.search = new URL(one.url).search;
      isRefusal(await fetched(crossed), "one object's signature on another object's path");
    },
  },
  {
    title: 'has an expired link refused, on a loopback host',
    when: signs,
    check: async (given) => {
      const { key } = await given.object();
      const issued = await given.store.resolveUrl(key, { ttlSeconds: 1 });
      if (!isLoopback(issued) || !issued.expiresAt) return;
      await sleep(issued.expiresAt.getTime() - Date.now() + 1100);
      isRefusal(await fetched(issued.url), 'an expired link');
    },
  },
  {
    title: 'locates an object without I/O, the same each time, and without a query',
    check: async (given) => {
      const { key } = await given.object();
      const place = given.store.locate(key);
      assert.equal(typeof place, 'string', 'The contract expects locate to return a string, not a promise.');
      assert.ok(place.length > 0, 'The contract expects locate to name the place.');
      assert.equal(given.store.locate(key), place, 'The contract expects locate to name the same place each time.');
      assert.ok(!place.includes('?'), `The contract expects locate to grant nothing: no query, as in ${place}.`);
    },
  },
  {
    title: 'locates every key at a place of its own, without a query',
    when: writable,
    check: ({ store }) => {
      const keys = ['a/b', 'a/b c', 'a/b%20c', 'a/b+c', 'a/b?c', 'a/b%3Fc', 'a/b#c'];
      const places = keys.map((key) => store.locate(key));
      assert.equal(
        new Set(places).size,
        keys.length,
        `The contract expects a place per key, not ${places.join(', ')}.`,
      );
      assert.ok(!places.some((place) => place.includes('?')), `No query, as in ${places.join(', ')}.`);
    },
  },
];
