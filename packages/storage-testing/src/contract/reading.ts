import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Readable } from 'node:stream';
import type { ByteRange } from '@paradoxon/storage';
import { noiseBytes } from '../noise.ts';
import { isStorageError, readAll, refused, sameBytes, settled } from './expectations.ts';
import { type Rule, writable } from './rule.ts';

const ranged = (
  title: string,
  rangeOf: (size: number) => ByteRange,
  servedOf: (size: number) => [number, number],
): Rule => ({
  title: `serves ${title}`,
  when: ({ range }) => range,
  check: async (given) => {
    const { key, bytes } = await given.object();
    const size = bytes.byteLength;
    const [start, end] = servedOf(size);

    const opened = await given.store.open(key, { range: rangeOf(size) });

    sameBytes(await readAll(opened), bytes.subarray(start, end + 1), `bytes ${start} to ${end} for ${title}`);
    assert.equal(opened.size, size, 'The contract expects `size` to be that of the whole object, whatever the range.');
    // absent means the whole object
    assert.deepEqual(
      { start: opened.range?.start ?? 0, end: opened.range?.end ?? size - 1 },
      { start, end },
      'The contract expects `range` to say what is served, both ends inclusive.',
    );
  },
});

const unsatisfiable = (title: string, rangeOf: (size: number) => ByteRange): Rule => ({
  title: `refuses ${title}`,
  when: ({ range }) => range,
  check: async (given) => {
    const { key, bytes } = await given.object();
    await refused(given.store.open(key, { range: rangeOf(bytes.byteLength) }), 'RANGE_NOT_SATISFIABLE', title);
  },
});

/** head and open. */
export const reading: readonly Rule[] = [
  {
    title: 'head and open agree about an object, and open gives its bytes',
    check: async (given) => {
      const { key, bytes } = await given.object();

      const info = await given.store.head(key);
      const opened = await given.store.open(key);

      sameBytes(await readAll(opened), bytes, 'open to give the bytes that are stored');
      for (const [call, { size, metadata, checksums }] of Object.entries({ head: info, open: opened })) {
        assert.equal(size, bytes.byteLength, `The contract expects ${call} to say how many bytes the object has.`);
        assert.equal(
          typeof metadata,
          'object',
          `The contract expects ${call} to give metadata, {} when there are none.`,
        );
        assert.equal(
          typeof checksums,
          'object',
          `The contract expects ${call} to give checksums, {} when it knows none.`,
        );
      }
      assert.equal(info.key, key, 'The contract expects head to repeat the key.');
      assert.equal(opened.key, key, 'The contract expects open to repeat the key.');
      assert.equal(opened.range, undefined, 'The contract expects no `range` when the whole object is served.');
      assert.equal(opened.etag, info.etag, 'The contract expects head and open to report the same etag.');
    },
  },
  {
    title: 'says when an object will disappear by itself only where it declares expiring',
    check: async (given) => {
      const { key } = await given.object();
      const { expiresAt } = await given.store.head(key);
      assert.ok(
        expiresAt === undefined || (given.claims.expiring && expiresAt instanceof Date),
        `The contract expects head().expiresAt to be a Date, or absent, and absent where nothing expires; it is ${String(expiresAt)}.`,
      );
    },
  },
  {
    title: 'answers NOT_FOUND for a key under which there is nothing',
    check: async (given) => {
      const key = given.absentKey();
      // what has expired was there once, and a store that knows it may say so
      const codes = given.claims.expiring ? (['NOT_FOUND', 'SOURCE_EXPIRED'] as const) : 'NOT_FOUND';
      await refused(given.store.head(key), codes, 'head of an absent key');
      await refused(given.store.open(key), codes, 'open of an absent key');
    },
  },
  ranged(
    'the first byte (0-0)',
    () => ({ start: 0, end: 0 }),
    () => [0, 0],
  ),
  ranged(
    'bytes in the middle',
    () => ({ start: 7, end: 20 }),
    () => [7, 20],
  ),
  ranged(
    'a range with an open end',
    () => ({ start: 5 }),
    (size) => [5, size - 1],
  ),
  ranged(
    'a range from the very start with an open end',
    () => ({ start: 0 }),
    (size) => [0, size - 1],
  ),
  ranged(
    'the last byte',
    (size) => ({ start: size - 1 }),
    (size) => [size - 1, size - 1],
  ),
  ranged(
    'the last 9 bytes as a suffix',
    () => ({ suffix: 9 }),
    (size) => [size - 9, size - 1],
  ),
  ranged(
    'a suffix longer than the object: all of it',
    (size) => ({ suffix: size + 5 }),
    (size) => [0, size - 1],
  ),
  ranged(
    'a range that ends behind the end: cut',
    (size) => ({ start: 3, end: size + 99 }),
    (size) => [3, size - 1],
  ),
  unsatisfiable('a range that starts at the end', (size) => ({ start: size })),
  unsatisfiable('a range that starts behind the end', (size) => ({ start: size + 100, end: size + 200 })),
  unsatisfiable('a suffix of no bytes', () => ({ suffix: 0 })),
  {
    title: 'refuses any range of an empty object',
    when: ({ write, range }) => write && range,
    check: async (given) => {
      await given.put('empty', Buffer.alloc(0));
      for (const range of [{ start: 0 }, { start: 0, end: 0 }, { suffix: 1 }]) {
        await refused(
          given.store.open('empty', { range }),
          'RANGE_NOT_SATISFIABLE',
          `${JSON.stringify(range)} of an empty object`,
        );
      }
    },
  },
  {
    title: 'opens the version that ifMatch names',
    when: ({ ifMatch }) => ifMatch,
    check: async (given) => {
      const { key, bytes } = await given.object();
      const { etag } = await given.store.head(key);
      assert.ok(etag !== undefined, 'The contract expects head to report an etag where ifMatch is supported.');

      const opened = await given.store.open(key, { ifMatch: etag });

      sameBytes(await readAll(opened), bytes, 'open with the current etag to give the object');
    },
  },
  {
    title: 'refuses to open another version than ifMatch names',
    when: ({ write, ifMatch }) => write && ifMatch,
    check: async (given) => {
      const { etag = '' } = await given.put('changing', noiseBytes(100, 1));
      await given.put('changing', noiseBytes(100, 2));

      await refused(
        given.store.open('changing', { ifMatch: etag }),
        'PRECONDITION_FAILED',
        'open with a stale ifMatch',
      );
    },
  },
  {
    title: 'lets go of bodies that are destroyed early, and still serves',
    check: async (given) => {
      const { store, claims } = given;
      const bytes = noiseBytes(1024 * 1024, 3);
      const object = claims.write ? { key: 'large', bytes } : await given.object();
      if (claims.write) await given.put(object.key, object.bytes);

      for (let reader = 0; reader < 20; reader += 1) {
        const { body } = await store.open(object.key);
        await once(body, 'readable');
        const closed = once(body, 'close');
        body.destroy();
        const left = await settled(closed, 'a body that is destroyed early');
        assert.ok(left.ok, `The contract expects destroying a body to be harmless: ${String(!left.ok && left.error)}`);
      }

      sameBytes(await readAll(await store.open(object.key)), object.bytes, 'open to work after 20 readers who left');
    },
  },
  {
    title: 'settles with ABORTED when head and open are called with an aborted signal',
    check: async (given) => {
      const { key } = await given.object();
      const signal = AbortSignal.abort();
      for (const call of ['head', 'open'] as const) {
        const outcome = await settled<unknown>(given.store[call](key, { signal }), `${call} with an aborted signal`);
        assert.ok(!outcome.ok, `The contract expects ${call} with an aborted signal to reject.`);
        isStorageError(outcome.error, 'ABORTED', `${call} with an aborted signal`);
      }
    },
  },
  {
    title: 'settles when head and open are aborted under way, whatever the reason is',
    check: async (given) => {
      const { key } = await given.object();
      for (const call of ['head', 'open'] as const) {
        const controller = new AbortController();
        const answer: Promise<object> = given.store[call](key, {
          signal: controller.signal,
        });
        controller.abort(new Error('the client left'));
        const outcome = await settled(answer, `${call} that is aborted under way`);
        // a store may have been quicker
        if (!outcome.ok) isStorageError(outcome.error, 'ABORTED', `${call} that is aborted under way`);
        else if ('body' in outcome.value && outcome.value.body instanceof Readable) outcome.value.body.destroy();
      }
    },
  },
  {
    title: 'never ends a body short when its signal aborts',
    check: async (given) => {
      const { store, claims } = given;
      const object = claims.write ? { key: 'large', bytes: noiseBytes(2 * 1024 * 1024, 4) } : await given.object();
      if (claims.write) await given.put(object.key, object.bytes);
      const controller = new AbortController();
      const opened = await store.open(object.key, { signal: controller.signal });

      let bytes = 0;
      const reading = (async () => {
        for await (const chunk of opened.body as AsyncIterable<Buffer>) {
          bytes += chunk.byteLength;
          controller.abort();
        }
      })();
      const outcome = await settled(reading, 'a body whose signal aborts');

      assert.ok(
        !outcome.ok || bytes === object.bytes.byteLength,
        'The contract expects a body to fail, or to give all its bytes: never to end short.',
      );
    },
  },
  {
    title: 'serves many readers of many objects at once',
    when: writable,
    check: async (given) => {
      const objects = Array.from({ length: 8 }, (_, n) => ({ key: `many/${n}`, bytes: noiseBytes(50_000 + n, n) }));
      await Promise.all(objects.map(({ key, bytes }) => given.put(key, bytes)));

      const read = await Promise.all(objects.map(async ({ key }) => readAll(await given.store.open(key))));

      for (const [n, bytes] of read.entries()) {
        sameBytes(bytes, objects[n]?.bytes ?? Buffer.alloc(0), 'each of eight objects written and read at once');
      }
    },
  },
];
