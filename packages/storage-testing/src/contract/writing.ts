import assert from 'node:assert/strict';
import { once } from 'node:events';
import { digestOf, digestsOf } from '../digest.ts';
import { noiseBytes } from '../noise.ts';
import { holds, readAll, sameBytes, settled } from './expectations.ts';
import { type Rule, writable } from './rule.ts';
import { inChunks, ScriptedBody } from './scripted-body.ts';

const MiB = 1024 ** 2;
/** Printable ASCII: what the contract promises to keep, apart from spaces at the ends, which no header keeps. */
const PRINTABLE = String.fromCharCode(...Array.from({ length: 94 }, (_, n) => 0x21 + n));

/** put, when all goes well. */
export const writing: readonly Rule[] = [
  {
    title: 'stores a body of known size and answers with what it holds',
    when: writable,
    check: async ({ store }) => {
      const bytes = noiseBytes(200_000, 1);
      const body = new ScriptedBody(inChunks(bytes, 16_384), {
        size: bytes.byteLength,
        checksums: (ended) => {
          assert.ok(ended, 'The contract expects body.checksums() to be called only once the chunks have ended.');
          return digestsOf(['sha256', 'md5', 'crc32c', 'crc64nvme'], bytes);
        },
      });

      const stored = await store.put('films/1/scene.mp4', body, { contentType: 'video/mp4' });

      assert.equal(stored.key, 'films/1/scene.mp4', 'The contract expects put to repeat the key.');
      assert.equal(stored.size, bytes.byteLength, 'The contract expects put to say how many bytes are stored.');
      const { etag, size } = await store.head('films/1/scene.mp4');
      assert.equal(size, bytes.byteLength, 'The contract expects head to say how many bytes are stored.');
      assert.equal(stored.etag, etag, 'The contract expects put and head to report the same etag.');
      await holds(store, 'films/1/scene.mp4', bytes, 'open to give what was put');
    },
  },
  {
    title: 'stores a body of unknown size',
    when: ({ write, unknownSize }) => write && unknownSize,
    check: async ({ store }) => {
      const bytes = noiseBytes(200_000, 2);
      const stored = await store.put('unknown', new ScriptedBody(inChunks(bytes, 16_384)));
      assert.equal(stored.size, bytes.byteLength, 'The contract expects put to say how many bytes are stored.');
      await holds(store, 'unknown', bytes, 'a body of unknown size to be stored whole');
    },
  },
  {
    title: 'stores an empty object',
    when: writable,
    check: async ({ store, claims }) => {
      await store.put('empty', new ScriptedBody([], { size: 0 }));
      assert.equal((await store.head('empty')).size, 0, 'The contract expects an empty object to have size 0.');
      await holds(store, 'empty', Buffer.alloc(0), 'an empty object to be readable');
      if (!claims.unknownSize) return;
      await store.put('empty-too', new ScriptedBody([]));
      await holds(store, 'empty-too', Buffer.alloc(0), 'an empty body of unknown size to be stored');
    },
  },
  {
    title: 'stores several MiB in chunks of odd sizes, empty ones among them',
    when: writable,
    check: async ({ store }) => {
      const bytes = noiseBytes(9 * MiB + 1, 3);
      const empty = [...inChunks(bytes.subarray(0, 100_000), 1000)].flatMap((chunk) => [chunk, Buffer.alloc(0)]);
      const rest = inChunks(bytes.subarray(100_000), 1, 65_537, 7, MiB - 1, 4096, 3 * MiB + 13);
      await store.put('large', new ScriptedBody([...empty, ...rest], { size: bytes.byteLength }));
      await holds(store, 'large', bytes, 'several MiB in odd chunks to be stored as they came');
    },
  },
  {
    title: 'copies a chunk that it keeps longer than until the next one is asked for',
    when: writable,
    check: async ({ store, claims }) => {
      const bytes = noiseBytes(300_000, 4);
      const memory = Buffer.alloc(50_000);
      const steps = [...inChunks(bytes, memory.byteLength)].flatMap((chunk) => {
        const refill = (): void => {
          chunk.forEach((byte, at) => (memory[at] = byte));
        };
        // the giver has one buffer, and uses it again and again
        return [refill, memory];
      });
      const wipe = (): void => {
        memory.fill(0xee);
      };

      await store.put('reused', new ScriptedBody([...steps, wipe], { size: bytes.byteLength }));

      await holds(store, 'reused', bytes, 'the stored bytes to be right although the giver uses a chunk again');
      if (!claims.unknownSize) return;
      await store.put('reused-too', new ScriptedBody([...steps, wipe]));
      await holds(store, 'reused-too', bytes, 'the same of a body of unknown size');
    },
  },
  {
    title: 'keeps content type, cache control and metadata',
    when: writable,
    check: async (given) => {
      const metadata = { scene: '7', 'x-sha256': 'a'.repeat(64), note: `a b ${PRINTABLE}` };
      await given.put('described', noiseBytes(10, 1), {
        contentType: 'video/webm',
        cacheControl: 'private, max-age=60',
        metadata,
      });

      const opened = await given.store.open('described');
      await readAll(opened);
      for (const [call, info] of Object.entries({ head: await given.store.head('described'), open: opened })) {
        assert.equal(info.contentType, 'video/webm', `The contract expects ${call} to report the content type of put.`);
        assert.equal(info.cacheControl, 'private, max-age=60', `The contract expects ${call} to report cacheControl.`);
        assert.deepEqual(
          { ...info.metadata },
          metadata,
          `The contract expects ${call} to report the metadata unchanged.`,
        );
      }
    },
  },
  {
    title: 'stores as application/octet-stream without metadata when nothing else is said',
    when: writable,
    check: async (given) => {
      await given.put('plain', noiseBytes(10, 1));
      const info = await given.store.head('plain');
      assert.equal(info.contentType, 'application/octet-stream', 'The contract says what the default content type is.');
      assert.deepEqual({ ...info.metadata }, {}, 'The contract expects no metadata where none were given.');
    },
  },
  {
    title: 'overwrites an object with everything that belongs to it',
    when: writable,
    check: async (given) => {
      await given.put('again', noiseBytes(5000, 1), { contentType: 'video/mp4', metadata: { attempt: '1' } });
      const old = await given.store.head('again');

      await given.put('again', noiseBytes(300, 2), { contentType: 'text/plain' });

      await holds(given.store, 'again', noiseBytes(300, 2), 'a second put to replace the bytes');
      const info = await given.store.head('again');
      assert.equal(info.contentType, 'text/plain', 'The contract expects a second put to replace the content type.');
      assert.deepEqual({ ...info.metadata }, {}, 'The contract expects a second put to replace the metadata.');
      if (info.etag !== undefined) {
        assert.notEqual(info.etag, old.etag, 'The contract expects the etag to change with the content.');
      }
    },
  },
  {
    title: 'gives its readers the old or the new object during an overwrite, never a mix',
    when: writable,
    check: async (given) => {
      const [before, after] = [noiseBytes(700_000, 1), noiseBytes(700_000, 2)];
      await given.put('busy', before);
      const seen: Buffer[] = [];
      const look = async (): Promise<void> => {
        seen.push(await readAll(await given.store.open('busy')));
      };
      const slow = await given.store.open('busy');
      await once(slow.body, 'readable');
      const begun = slow.body.read(1) as Buffer;
      const steps = [...inChunks(after, 100_000)].flatMap((chunk) => [chunk, look]);

      await given.store.put('busy', new ScriptedBody(steps, { size: after.byteLength }));
      const rest = await settled(readAll(slow), 'a body whose object was overwritten meanwhile');
      // a store that cannot go on with the old object may say so
      if (rest.ok) seen.push(Buffer.concat([begun, rest.value]));
      await look();

      for (const bytes of seen) {
        sameBytes(
          bytes,
          bytes.equals(before) ? before : after,
          'a reader during an overwrite to see the old or the new object, whole',
        );
      }
      sameBytes(seen.at(-1) ?? Buffer.alloc(0), after, 'a reader after the overwrite to see the new object');
    },
  },
  {
    title: 'reports right checksums, and only those that it declares',
    check: async (given) => {
      const { key, bytes } = await given.object();
      const answers = {
        head: await given.store.head(key),
        ...(given.claims.write ? { put: await given.put('summed', bytes) } : {}),
      };
      for (const [call, { checksums }] of Object.entries(answers)) {
        for (const algorithm of ['sha256', 'md5', 'crc32c', 'crc64nvme'] as const) {
          const declared = given.claims.checksums.includes(algorithm);
          const value = checksums[algorithm];
          assert.ok(
            declared || value === undefined,
            `The contract expects ${call} to report only declared checksums, not ${algorithm}.`,
          );
          // a source that is not ours may know the checksums of some objects only
          assert.ok(
            !(declared && given.claims.write) || value !== undefined,
            `The contract expects ${call} to report ${algorithm}, which capabilities.checksums declares.`,
          );
          if (value === undefined) continue;
          assert.equal(
            value,
            digestOf(algorithm, bytes),
            `The contract expects ${call} to report the right ${algorithm}, in lower-case hexadecimal.`,
          );
        }
      }
    },
  },
];
