import { Readable } from 'node:stream';
import {
  type ByteSource,
  type CallOptions,
  type CheckLevel,
  type CheckReport,
  type DeleteOptions,
  type ObjectInfo,
  type OpenedObject,
  type OpenOptions,
  type PutOptions,
  type StoredObject,
} from '@paradoxon/storage';
import { MemoryStorage } from '../../src/index.ts';
import { everything, poor, served } from '../memory-harness.ts';
import { except, mutant, type Mutant } from './mutant.ts';

const bodyOf = (bytes: Uint8Array): ByteSource => ({ size: bytes.byteLength, chunks: Readable.from([bytes]) });

/** Broken in everything else. */
export const theRest: readonly Mutant[] = [
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
