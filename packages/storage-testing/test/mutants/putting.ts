import { Readable } from 'node:stream';
import {
  type ByteSource,
  type CallOptions,
  type ObjectInfo,
  type PutOptions,
  type StoredObject,
  StorageError,
} from '@paradoxon/storage';
import { MemoryStorage } from '../../src/index.ts';
import { except, mutant, type Mutant } from './mutant.ts';

const bodyOf = (bytes: Uint8Array): ByteSource => ({ size: bytes.byteLength, chunks: Readable.from([bytes]) });

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

/** Broken in put. */
export const putting: readonly Mutant[] = [
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
    'takes the etag from the key',
    ['overwrites an object with everything that belongs to it'],
    class extends MemoryStorage {
      override async head(key: string, options?: CallOptions): Promise<ObjectInfo> {
        return { ...(await super.head(key, options)), etag: key };
      }
    },
  ),
];
