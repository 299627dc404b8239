import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  type ByteSource,
  type ByteRange,
  type CallOptions,
  type CheckLevel,
  type CheckReport,
  type DeleteOptions,
  type ObjectInfo,
  type OpenedObject,
  type OpenOptions,
  type PutOptions,
  StorageError,
  type StoragePlugin,
  type StoredObject,
} from '@paradoxon/storage';
import { MemoryStorage, type StorageHarness } from '../src/index.ts';
import { everything, poor, served } from './memory-harness.ts';

/** A plugin that is broken in one way, and the rules that have to notice, by a part of their titles. */
export interface Mutant {
  readonly bug: string;
  readonly caughtBy: readonly string[];
  readonly harness: StorageHarness;
}

const mutant = (bug: string, caughtBy: readonly string[], create: new () => StoragePlugin): Mutant => ({
  bug,
  caughtBy,
  harness: everything(() => new create()),
});

const bodyOf = (bytes: Uint8Array): ByteSource => ({ size: bytes.byteLength, chunks: Readable.from([bytes]) });

async function bytesOf({ body }: OpenedObject): Promise<Buffer> {
  return Buffer.concat((await body.toArray()) as Buffer[]);
}

/** What an SDK sees that neither counts nor notices why the bytes end. */
function credulous({ chunks }: ByteSource): ByteSource {
  async function* untilItBreaks(): AsyncGenerator<Uint8Array> {
    try {
      yield* chunks;
    } catch {
      return;
    }
  }
  return { chunks: untilItBreaks() };
}

function except<T extends object>(options: T | undefined, ...names: readonly (keyof T)[]): Partial<T> {
  return Object.fromEntries(
    Object.entries(options ?? {}).filter(([name]) => !names.includes(name as keyof T)),
  ) as Partial<T>;
}

/** Serves another range than asked for. */
abstract class WrongRange extends MemoryStorage {
  abstract wrong(range: { start: number; end?: number } & { suffix?: number }): ByteRange | undefined;

  override open(key: string, options: OpenOptions = {}): Promise<OpenedObject> {
    const { range, ...rest } = options;
    const served = range && this.wrong(range as { start: number });
    return super.open(key, served ? { ...rest, range: served } : rest);
  }
}

export const mutants: readonly Mutant[] = [
  mutant(
    'commits what a broken or short body gave',
    ['nothing behind when the body fails half-way', 'nothing behind when the body ends short of its size'],
    class extends MemoryStorage {
      override put(key: string, body: ByteSource, options?: PutOptions): Promise<StoredObject> {
        return super.put(key, credulous(body), options);
      }
    },
  ),
  mutant(
    'does not look at the size',
    ['nothing behind when the body is longer than its size', 'nothing behind when the body gives nothing of what'],
    class extends MemoryStorage {
      override put(key: string, { chunks }: ByteSource, options?: PutOptions): Promise<StoredObject> {
        return super.put(key, { chunks }, options);
      }
    },
  ),
  mutant(
    'commits after an abort, and hangs when the source stalls',
    [
      'nothing behind when the body is aborted in the middle and goes on',
      'nothing behind when the body stalls in the middle and is aborted',
      'while an async generator stalls',
    ],
    class extends MemoryStorage {
      override put(key: string, body: ByteSource, options?: PutOptions): Promise<StoredObject> {
        return super.put(key, body, except(options, 'signal'));
      }
    },
  ),
  mutant(
    'settles at an abort, and goes on uploading behind it',
    ['nothing behind when the body is aborted in the middle and goes on'],
    class extends MemoryStorage {
      override async put(key: string, body: ByteSource, options?: PutOptions): Promise<StoredObject> {
        const upload = super.put(key, body, except(options, 'signal'));
        const abort = new Promise<never>((_, reject) => {
          options?.signal?.addEventListener('abort', () => {
            reject(new StorageError('ABORTED', 'aborted', { storage: this.id, operation: 'put' }));
          });
        });
        return Promise.race([upload, abort]);
      }
    },
  ),
  mutant(
    'takes an abort for a defect when the caller gives a reason',
    ['aborted in the middle for a reason of the caller'],
    class extends MemoryStorage {
      override put(key: string, body: ByteSource, options?: PutOptions): Promise<StoredObject> {
        return super.put(key, body, options).catch((error: unknown) => {
          throw options?.signal?.aborted ? StorageError.from(options.signal.reason) : error;
        });
      }
    },
  ),
  mutant(
    'loses why the body broke',
    ['nothing behind when the body fails half-way'],
    class extends MemoryStorage {
      override put(key: string, body: ByteSource, options?: PutOptions): Promise<StoredObject> {
        return super.put(key, body, options).catch(() => {
          throw new StorageError('UNAVAILABLE', 'upload failed', { storage: this.id, operation: 'put' });
        });
      }
    },
  ),
  mutant(
    'does not close a body that it stops reading',
    ['closes the body that is longer than its size', 'closes the body that stalls in the middle and is aborted'],
    class extends MemoryStorage {
      override put(key: string, body: ByteSource, options?: PutOptions): Promise<StoredObject> {
        const iterator = body.chunks[Symbol.asyncIterator]();
        const chunks = { [Symbol.asyncIterator]: () => ({ next: () => iterator.next() }) };
        return super.put(key, { ...(body.size === undefined ? {} : { size: body.size }), chunks }, options);
      }
    },
  ),
  mutant(
    'keeps references to chunks',
    ['copies a chunk that it keeps longer'],
    class extends MemoryStorage {
      override async put(key: string, body: ByteSource, options?: PutOptions): Promise<StoredObject> {
        const kept: Uint8Array[] = [];
        for await (const chunk of body.chunks) kept.push(chunk);
        return super.put(key, bodyOf(Buffer.concat(kept)), options);
      }
    },
  ),
  mutant(
    'removes the old object before the new one is complete',
    [
      'old object as it was when the body of an overwrite fails half-way',
      'the old or the new object during an overwrite',
    ],
    class extends MemoryStorage {
      override async put(key: string, body: ByteSource, options?: PutOptions): Promise<StoredObject> {
        if (!options?.ifAbsent) await super.delete(key);
        return super.put(key, body, options);
      }
    },
  ),
  mutant(
    'writes straight to the final key',
    ['shows an object only once put has resolved', 'nothing behind when the body fails half-way'],
    class extends MemoryStorage {
      override put(key: string, body: ByteSource, options?: PutOptions): Promise<StoredObject> {
        const seed = (bytes: Uint8Array): StoredObject => this.seed(key, bytes, options);
        async function* chunks(): AsyncGenerator<Uint8Array> {
          const written: Uint8Array[] = [];
          for await (const chunk of body.chunks) {
            written.push(Uint8Array.from(chunk));
            seed(Buffer.concat(written));
            yield chunk;
          }
        }
        return super.put(key, { size: body.size ?? 0, chunks: chunks() }, options);
      }
    },
  ),
  mutant(
    'leaves a temporary file behind when put fails',
    ['nothing behind when the body fails half-way'],
    class extends MemoryStorage {
      readonly #temporary: string[] = [];
      override put(key: string, body: ByteSource, options?: PutOptions): Promise<StoredObject> {
        return super.put(key, body, options).catch((error: unknown) => {
          this.#temporary.push(`${key}.part`);
          throw error;
        });
      }
      override leftovers(): string[] {
        return [...super.leftovers(), ...this.#temporary];
      }
    },
  ),
  mutant(
    'looks first and writes then: two writers with ifAbsent win',
    ['lets one of 8 simultaneous writers'],
    class extends MemoryStorage {
      override async put(key: string, body: ByteSource, options?: PutOptions): Promise<StoredObject> {
        if (options?.ifAbsent) {
          const there = await this.head(key).catch(() => undefined);
          if (there) throw new StorageError('ALREADY_EXISTS', 'there', { storage: this.id, operation: 'put' });
        }
        return super.put(key, body, except(options, 'ifAbsent'));
      }
    },
  ),
  mutant(
    'ignores ifAbsent',
    ['refuses ifAbsent where there is an object'],
    class extends MemoryStorage {
      override put(key: string, body: ByteSource, options?: PutOptions): Promise<StoredObject> {
        return super.put(key, body, except(options, 'ifAbsent'));
      }
    },
  ),
  ...(['contentType', 'cacheControl', 'metadata'] as const).map((dropped) =>
    mutant(
      `drops ${dropped}`,
      ['keeps content type, cache control and metadata'],
      class extends MemoryStorage {
        override put(key: string, body: ByteSource, options?: PutOptions): Promise<StoredObject> {
          return super.put(key, body, except(options, dropped));
        }
      },
    ),
  ),
  mutant(
    'reports a wrong checksum',
    ['reports right checksums'],
    class extends MemoryStorage {
      override async head(key: string, options?: CallOptions): Promise<ObjectInfo> {
        return { ...(await super.head(key, options)), checksums: { sha256: '0'.repeat(64) } };
      }
    },
  ),
  mutant(
    'reports a checksum that it has not declared',
    ['reports right checksums'],
    class extends MemoryStorage {
      override async put(key: string, body: ByteSource, options?: PutOptions): Promise<StoredObject> {
        const stored = await super.put(key, body, options);
        return { ...stored, checksums: { ...stored.checksums, md5: '0'.repeat(32) } };
      }
    },
  ),
  mutant(
    'takes the etag from the key',
    ['overwrites an object with everything that belongs to it'],
    class extends MemoryStorage {
      override async head(key: string, options?: CallOptions): Promise<ObjectInfo> {
        return { ...(await super.head(key, options)), etag: key };
      }
    },
  ),
  mutant(
    'takes an end of 0 for no end',
    ['serves the first byte (0-0)'],
    class extends WrongRange {
      wrong({ start, end, suffix }: { start: number; end?: number; suffix?: number }): ByteRange {
        if (suffix !== undefined) return { suffix };
        return end ? { start, end } : { start };
      }
    },
  ),
  mutant(
    'takes a suffix for a start',
    ['serves the last 9 bytes as a suffix'],
    class extends WrongRange {
      wrong(range: { start: number; suffix?: number }): ByteRange {
        return range.suffix === undefined ? range : { start: range.suffix };
      }
    },
  ),
  mutant(
    'serves ranges without their last byte',
    ['serves bytes in the middle'],
    class extends WrongRange {
      wrong(range: { start: number; end?: number }): ByteRange {
        return range.end === undefined ? range : { start: range.start, end: range.end - 1 };
      }
    },
  ),
  mutant(
    'ignores ranges',
    ['serves bytes in the middle', 'refuses a range that starts at the end'],
    class extends WrongRange {
      wrong(): undefined {
        return undefined;
      }
    },
  ),
  mutant(
    'refuses a range that ends behind the end',
    ['serves a range that ends behind the end: cut'],
    class extends MemoryStorage {
      override async open(key: string, options: OpenOptions = {}): Promise<OpenedObject> {
        const { size } = await super.head(key);
        const { range } = options;
        if (range && 'end' in range && Number(range.end) >= size) {
          throw new StorageError('RANGE_NOT_SATISFIABLE', 'behind the end', { storage: this.id, operation: 'open' });
        }
        return super.open(key, options);
      }
    },
  ),
  mutant(
    'ignores ifMatch',
    ['refuses to open another version', 'protects a newer copy'],
    class extends MemoryStorage {
      override open(key: string, options?: OpenOptions): Promise<OpenedObject> {
        return super.open(key, except(options, 'ifMatch'));
      }
      override delete(key: string, options?: DeleteOptions): Promise<void> {
        return super.delete(key, except(options, 'ifMatch'));
      }
    },
  ),
  mutant(
    'ends a body quietly when it is aborted',
    ['never ends a body short when its signal aborts'],
    class extends MemoryStorage {
      override async open(key: string, options?: OpenOptions): Promise<OpenedObject> {
        const opened = await super.open(key, except(options, 'signal'));
        async function* chunks(): AsyncGenerator<Buffer> {
          for await (const chunk of opened.body as AsyncIterable<Buffer>) {
            if (options?.signal?.aborted) return;
            yield chunk;
          }
        }
        return { ...opened, body: Readable.from(chunks(), { objectMode: false }) };
      }
    },
  ),
  mutant(
    'cannot be told to stop reading',
    ['lets go of bodies that are destroyed early'],
    class extends MemoryStorage {
      override async open(key: string, options?: OpenOptions): Promise<OpenedObject> {
        const opened = await super.open(key, options);
        const rest = [await bytesOf(opened)];
        return {
          ...opened,
          body: new Readable({
            read() {
              this.push(rest.shift() ?? null);
            },
            // never calls back: the stream waits for a connection that nobody closes
            destroy: () => undefined,
          }),
        };
      }
    },
  ),
  mutant(
    'serves a body piece by piece from whatever is stored by then',
    ['the old or the new object during an overwrite'],
    class extends MemoryStorage {
      override async open(key: string, options?: OpenOptions): Promise<OpenedObject> {
        const whole = await super.open(key, options);
        const read = (start: number, end: number): Promise<OpenedObject> => super.open(key, { range: { start, end } });
        async function* chunks(): AsyncGenerator<Buffer> {
          for (let at = 0; at < whole.size; at += 65_536) {
            yield await bytesOf(await read(at, Math.min(at + 65_535, whole.size - 1)));
          }
        }
        whole.body.destroy();
        return { ...whole, body: Readable.from(chunks(), { objectMode: false, highWaterMark: 1 }) };
      }
    },
  ),
  mutant(
    'makes up an object where there is none',
    ['answers NOT_FOUND', 'nothing behind when the body fails half-way'],
    class extends MemoryStorage {
      override head(key: string, options?: CallOptions): Promise<ObjectInfo> {
        return super.head(key, options).catch(() => ({ key, size: 0, metadata: {}, checksums: {} }));
      }
    },
  ),
  mutant(
    'says that there is nothing whatever went wrong',
    ['settles with ABORTED when head and open', 'refuses a parent folder as a key'],
    class extends MemoryStorage {
      override head(key: string, options?: CallOptions): Promise<ObjectInfo> {
        return super.head(key, options).catch(() => {
          throw new StorageError('NOT_FOUND', 'nothing there', { storage: this.id, operation: 'head' });
        });
      }
    },
  ),
  mutant(
    'rejects with errors of its SDK',
    ['answers NOT_FOUND', 'names store and operation'],
    class extends MemoryStorage {
      override head(key: string, options?: CallOptions): Promise<ObjectInfo> {
        return super.head(key, options).catch(() => {
          throw Object.assign(new Error('NoSuchKey'), { code: 'NOT_FOUND' });
        });
      }
    },
  ),
  mutant(
    'does not say which store an error comes from',
    ['names store and operation'],
    class extends MemoryStorage {
      override head(key: string, options?: CallOptions): Promise<ObjectInfo> {
        return super.head(key, options).catch((error: unknown) => {
          throw StorageError.is(error) ? new StorageError(error.code, error.message) : error;
        });
      }
    },
  ),
  mutant(
    'rejects when it deletes what is not there',
    ['resolves when it deletes what is not there'],
    class extends MemoryStorage {
      override async delete(key: string, options?: DeleteOptions): Promise<void> {
        await super.head(key);
        await super.delete(key, options);
      }
    },
  ),
  mutant(
    'deletes by prefix',
    ['deletes one object and no other'],
    class extends MemoryStorage {
      override async delete(key: string, options?: DeleteOptions): Promise<void> {
        for await (const info of this.list?.(key) ?? []) await super.delete(info.key);
        await super.delete(key, options);
      }
    },
  ),
  mutant(
    'deletes although it was told to stop',
    ['deletes nothing when the signal has aborted'],
    class extends MemoryStorage {
      override async delete(key: string, options?: DeleteOptions): Promise<void> {
        await super.delete(key, except(options, 'signal'));
        await super.delete(key, options);
      }
    },
  ),
  mutant(
    'normalises keys as paths instead of refusing them',
    ['refuses a parent folder inside as a key', 'refuses an empty segment as a key'],
    class extends MemoryStorage {
      override put(key: string, body: ByteSource, options?: PutOptions): Promise<StoredObject> {
        return super.put(new URL(key, 'http://host/').pathname.replaceAll('//', '/').slice(1), body, options);
      }
    },
  ),
  mutant(
    'decodes keys',
    ['takes a key that looks escaped twice', 'tells keys apart'],
    class extends MemoryStorage {
      override put(key: string, body: ByteSource, options?: PutOptions): Promise<StoredObject> {
        return super.put(decodeURIComponent(key), body, options);
      }
      override open(key: string, options?: OpenOptions): Promise<OpenedObject> {
        return super.open(decodeURIComponent(key), options);
      }
      override head(key: string, options?: CallOptions): Promise<ObjectInfo> {
        return super.head(decodeURIComponent(key), options);
      }
    },
  ),
  mutant(
    'normalises Unicode',
    ['decomposed Unicode (NFD)'],
    class extends MemoryStorage {
      override put(key: string, body: ByteSource, options?: PutOptions): Promise<StoredObject> {
        return super.put(key.normalize(), body, options);
      }
    },
  ),
  mutant(
    'declares list and has no list()',
    ['has list() and sweepIncomplete() exactly when'],
    class extends MemoryStorage {
      constructor() {
        super('memory', { list: false });
        Object.assign(this, { capabilities: new MemoryStorage().capabilities });
      }
    },
  ),
  mutant(
    'lists folders only',
    ['lists by prefix, which need not end at a slash'],
    class extends MemoryStorage {
      constructor() {
        super();
        const { list } = this;
        Object.assign(this, {
          list: (prefix: string) => list?.(prefix === '' || prefix.endsWith('/') ? prefix : `${prefix}/`),
        });
      }
    },
  ),
  mutant(
    'sweeps running uploads away',
    ['sweeps no upload away that began later'],
    class extends MemoryStorage {
      constructor() {
        super();
        const { sweepIncomplete } = this;
        Object.assign(this, {
          sweepIncomplete: () => sweepIncomplete?.(new Date(Date.now() + 1000)),
        });
      }
    },
  ),
  mutant(
    'leaves the canary of its check behind',
    ["check('write') finds a usable store usable"],
    class extends MemoryStorage {
      override async check(level: CheckLevel, options?: CallOptions): Promise<CheckReport> {
        await super.put('canary', bodyOf(Buffer.from('tweet')));
        return super.check(level, options);
      }
    },
  ),
  mutant(
    'puts a signature into locate()',
    ['locates an object without I/O'],
    class extends MemoryStorage {
      override locate(key: string): string {
        return `${super.locate(key)}?signature=secret`;
      }
    },
  ),
  mutant(
    'locates different keys at one place',
    ['locates every key at a place of its own'],
    class extends MemoryStorage {
      override locate(key: string): string {
        return `memory:${decodeURIComponent(key.replace(/[?#].*/, ''))}`;
      }
    },
  ),
  mutant(
    'takes seconds to notice an abort',
    ['settles with ABORTED when head and open'],
    class extends MemoryStorage {
      override async head(key: string, options?: CallOptions): Promise<ObjectInfo> {
        await sleep(options?.signal ? 5000 : 0, undefined, { ref: false });
        return super.head(key, options);
      }
    },
  ),
  ...(
    [
      ['does not check the signature of its links', 'an altered link refused', { signatureIsNotChecked: true }],
      ['signs links without their path', 'an altered link refused', { signatureLeavesThePathOut: true }],
      ['serves expired links', 'an expired link refused', { expiryIsNotChecked: true }],
      ['issues links for ever', 'live no longer than its maximum', { expiryIsNotLimited: true }],
      ['claims ranges that its links do not serve', 'answers a range with 206', { rangeIsIgnored: true }],
      ['decodes the path of its links twice', 'a URL for every key', { pathIsDecodedTwice: true }],
    ] as const
  ).map(([bug, rule, flaws]): Mutant => ({ bug, caughtBy: [rule], harness: served(flaws) })),
  {
    bug: 'keeps its objects in a static field',
    caughtBy: ['keeps two instances apart'],
    harness: (() => {
      const shared = new MemoryStorage();
      return everything(() => shared);
    })(),
  },
  {
    bug: 'quietly does what it says it cannot do',
    caughtBy: [
      'refuses ranges, which it does not support',
      'refuses ifMatch, which it does not support',
      'refuses ifAbsent, which it does not support',
      'refuses a body of unknown size, which it does not support',
    ],
    harness: poor(() => new MemoryStorage()),
  },
];
