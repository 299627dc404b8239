import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  type ByteSource,
  type ByteRange,
  type CallOptions,
  type DeleteOptions,
  type ObjectInfo,
  type OpenedObject,
  type OpenOptions,
  type PutOptions,
  type StoredObject,
  StorageError,
} from '@paradoxon/storage';
import { MemoryStorage } from '../../src/index.ts';
import { except, mutant, type Mutant } from './mutant.ts';

async function bytesOf({ body }: OpenedObject): Promise<Buffer> {
  return Buffer.concat((await body.toArray()) as Buffer[]);
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

/** Broken in head and open. */
export const reading: readonly Mutant[] = [
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
          const { size = 0 } = whole;
          for (let at = 0; at < size; at += 65_536) {
            yield await bytesOf(await read(at, Math.min(at + 65_535, size - 1)));
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
    'takes seconds to notice an abort',
    ['settles with ABORTED when head and open'],
    class extends MemoryStorage {
      override async head(key: string, options?: CallOptions): Promise<ObjectInfo> {
        await sleep(options?.signal ? 5000 : 0, undefined, { ref: false });
        return super.head(key, options);
      }
    },
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
];
