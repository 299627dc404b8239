import assert from 'node:assert/strict';
import { MAX_KEY_BYTES, MAX_SEGMENT_BYTES } from '@paradoxon/storage';
import { noiseBytes } from '../noise.ts';
import { anyBody, holds, isAbsent, refused, throwsCode } from './expectations.ts';
import { type Rule, writable } from './rule.ts';

const longest = [...Array.from({ length: 3 }, () => 'k'.repeat(MAX_SEGMENT_BYTES)), 'k'.repeat(254), 'k'].join('/');

const ODD: Readonly<Record<string, string>> = {
  'with punctuation': "odd/!@#$%^&()_+-=;',.mp4",
  'with what a URL would cut off': 'odd/what?is=this&#fragment.mp4',
  'with brackets, quotes and stars': 'odd/[a]{b}<c>|"d"*~`.mp4',
  'with spaces': 'odd/a scene  with spaces.mp4',
  'that looks like an escaped parent folder': 'odd/%2e%2e/%2Fetc%00.mp4',
  'that looks escaped twice': 'odd/%2520 and %20 and + and ++.mp4',
  'in composed Unicode (NFC)': 'odd/caf\u00e9-\u00fc.mp4',
  'in decomposed Unicode (NFD)': 'odd/cafe\u0301-u\u0308.mp4',
  'with emoji and right-to-left script': 'odd/\u{1f3ac}-\u0633\u06cc\u0646\u0645\u0627.mp4',
  'with leading dots': 'odd/.hidden/..almost/...x',
  'with names that JavaScript knows': 'odd/__proto__/constructor',
  'that looks like an option': '-rf/--help',
  [`with a segment of ${MAX_SEGMENT_BYTES} bytes`]: `odd/${'s'.repeat(MAX_SEGMENT_BYTES - 4)}.mp4`,
  [`of ${MAX_KEY_BYTES} bytes`]: longest,
  'of 254 segments': `${'d/'.repeat(253)}x`,
};

const REFUSED: Readonly<Record<string, string>> = {
  'the empty key': '',
  'a parent folder': '../escape',
  'a parent folder inside': 'a/../b',
  'a parent folder at the end': 'a/..',
  'a segment that is a dot': 'a/./b',
  'a segment that ends with a dot': 'a./b',
  'an empty segment': 'a//b',
  'a leading slash': '/a',
  'a trailing slash': 'a/',
  'a backslash': 'a\\..\\b',
  NUL: 'a\0b',
  'CR LF': 'a\r\nSet-Cookie: b',
  'a control character': 'a\u007fb',
  'a lone surrogate': 'a\ud800b',
  [`more than ${MAX_KEY_BYTES} bytes`]: `${longest}k`,
  [`a segment of more than ${MAX_SEGMENT_BYTES} bytes`]: 'é'.repeat(128),
  'more than 254 segments': `${'d/'.repeat(254)}x`,
};

/** Which keys are taken, and which are refused. A read-only plugin's keys are its own matter. */
export const keys: readonly Rule[] = [
  ...Object.entries(ODD).map(([what, key]): Rule => ({
    title: `takes a key ${what}, byte for byte`,
    when: writable,
    check: async (given) => {
      const { store } = given;
      await given.put(key, noiseBytes(100, 1));

      await holds(store, key, noiseBytes(100, 1), `a key ${what} to be readable`);
      assert.equal((await store.head(key)).key, key, 'The contract expects head to repeat the key unchanged.');
      if (store.list) {
        const found: string[] = [];
        for await (const info of store.list(key.slice(0, 4))) found.push(info.key);
        assert.deepEqual(found, [key], 'The contract expects list to give the key unchanged.');
      }
      await store.delete(key);
      await isAbsent(store, key, `a deleted key ${what}`);
    },
  })),
  {
    title: 'tells keys apart that differ only in how they are escaped',
    when: writable,
    check: async (given) => {
      const alike = ['same/a b', 'same/a+b', 'same/a%20b', 'same/a%2520b', 'same/a_b'];
      for (const [n, key] of alike.entries()) await given.put(key, noiseBytes(100, n));
      for (const [n, key] of alike.entries()) await holds(given.store, key, noiseBytes(100, n), `${key} to be itself`);
    },
  },
  ...Object.entries(REFUSED).map(([what, key]): Rule => ({
    title: `refuses ${what} as a key, in every method`,
    when: writable,
    check: async (given) => {
      const { store, claims } = given;
      const before = await given.inventory();
      await refused(store.put(key, anyBody()), 'INVALID_KEY', `put with ${what} as key`);
      await refused(store.open(key), 'INVALID_KEY', `open with ${what} as key`);
      await refused(store.head(key), 'INVALID_KEY', `head with ${what} as key`);
      await refused(store.delete(key), 'INVALID_KEY', `delete with ${what} as key`);
      if (claims.signedUrl) await refused(store.resolveUrl(key), 'INVALID_KEY', `resolveUrl with ${what} as key`);
      throwsCode(() => store.locate(key), 'INVALID_KEY', `locate with ${what} as key`);
      assert.deepEqual(await given.inventory(), before, 'The contract expects a refused key to leave nothing behind.');
    },
  })),
];
