import { Readable } from 'node:stream';
import { describe, expect, it } from '@jest/globals';
import { StorageError, type StoragePlugin } from '@paradoxon/storage';
import { faultyStorage, MemoryStorage } from '@paradoxon/storage-testing';
import { type OpenedSource, type OpenSourceOptions, transfer, type TransferSource } from '../src/index.ts';
import { bytesIn } from './fixtures/setting.ts';
import { mp4, sha256 } from './fixtures/video-bytes.ts';

const HISTORIES = 60;
/** TRANSFER_SEED=… repeats a run. */
const FIRST_SEED = Number(process.env['TRANSFER_SEED'] ?? Math.floor(Math.random() * 1e9));

describe(`random histories from seed ${FIRST_SEED}`, () => {
  it('end with whole copies where the verdict is ok, and with none where it is not', async () => {
    const seeds = Array.from({ length: HISTORIES }, (_, index) => FIRST_SEED + index);

    const histories = await Promise.all(seeds.map(history));

    expect(histories.flatMap(({ broken }) => broken)).toEqual([]);
    // there was something to see
    const oks = histories.flatMap(({ verdicts }) => verdicts);
    expect(oks.filter((ok) => ok).length).toBeGreaterThan(HISTORIES / 4);
    expect(oks.filter((ok) => !ok).length).toBeGreaterThan(HISTORIES / 4);
  }, 30_000);
});

/** @returns the invariants that did not hold, with the seed; and which targets were ok */
async function history(seed: number): Promise<{ broken: string[]; verdicts: boolean[] }> {
  const random = randomFrom(seed);
  const upTo = (limit: number): number => Math.floor(random() * limit);
  const versions = [1, 2, 3].map((version) => mp4(48 + upTo(700_000), seed * 10 + version));
  const inner = Array.from({ length: 1 + upTo(4) }, (_, index) => new MemoryStorage(`s${index}`, anyChecksums(upTo)));
  const stores = inner.map((store) => anyFault(store, upTo));
  const targets = stores.map((store) => ({ store, key: 'a' }));
  const source = anySource(versions, upTo);
  const broken: string[] = [];

  const first = await transfer(source, targets, {
    windowBytes: 65_536 * (1 + upTo(4)),
    lagMs: 40 + upTo(50),
    targetIdleMs: 150,
    sourceIdleMs: 100,
    maxAttempts: 1 + upTo(4),
  });

  const read = versions.find((version) => first.content?.sha256 === sha256(version));
  if (first.content && !read) broken.push(`${seed}: what was read is no version of the source`);
  for (const [index, verdict] of first.verdicts.entries()) {
    const store = inner[index]!;
    const held = await bytesIn(store, 'a');
    const complaint = (what: string): void =>
      void broken.push(`${seed}: ${store.id} ${what}: ${JSON.stringify(verdict)}`);
    if (verdict.ok && !(read && held?.equals(read))) complaint('is ok and not whole');
    if (!verdict.ok && verdict.error.committed === 'no' && held) complaint('failed and holds something');
    if (held && !versions.some((version) => version.equals(held))) complaint('holds what never was');
    if (store.leftovers().some((left) => left !== 'a')) complaint(`left ${store.leftovers().join()}`);
  }

  // the faults are over: running it again completes what is missing and nothing else
  const steady = anySource([read ?? versions[0]!], () => 0);
  const second = await transfer(
    steady,
    inner.map((store) => ({ store, key: 'a' })),
  );
  for (const [index, verdict] of second.verdicts.entries()) {
    const wasOk = first.verdicts[index]?.ok === true;
    if (!verdict.ok && (wasOk || read)) broken.push(`${seed}: cannot be completed: ${verdict.error.message}`);
    if (verdict.ok && wasOk && !verdict.reused) broken.push(`${seed}: was written twice`);
  }
  return { broken, verdicts: first.verdicts.map(({ ok }) => ok) };
}

/** Chunks of any size, cut anywhere, with or without a validator and a size, sometimes replaced meanwhile. */
function anySource(versions: readonly Buffer[], upTo: (limit: number) => number): TransferSource {
  let current = 0;
  let faults = upTo(5);
  const hasValidator = upTo(4) > 0;
  const hasSize = upTo(4) > 0 || faults > 0;
  const ignoresRanges = upTo(5) === 1;
  const open = ({ start, validator }: OpenSourceOptions): OpenedSource => {
    if (faults > 0 && upTo(4) === 1) current = Math.min(current + 1, versions.length - 1);
    const bytes = versions[current]!;
    const version = `"v${current}"`;
    if (start > 0 && validator !== version) throw new StorageError('SOURCE_CHANGED', 'changed', { scope: 'source' });
    if (start > 0 && ignoresRanges) throw new StorageError('RANGE_IGNORED', 'ignored', { scope: 'source' });
    if (faults > 0 && upTo(6) === 1) {
      faults -= 1;
      throw new StorageError('UNAVAILABLE', 'busy', { scope: 'source' });
    }
    const end = faults > 0 ? start + upTo(bytes.byteLength - start + 1) : bytes.byteLength;
    const stalls = faults > 0 && upTo(5) === 1;
    faults -= 1;
    const largest = 300 + upTo(3) * 30_000 + upTo(2000);
    return {
      checksums: {},
      ...(hasSize ? { size: bytes.byteLength } : {}),
      ...(hasValidator ? { validator: version } : {}),
      body: Readable.from(
        (async function* () {
          for (let at = start; at < end;) {
            const length = Math.min(end - at, 1 + Math.floor(largest / 2) + upTo(largest / 2));
            yield bytes.subarray(at, at + length);
            at += length;
          }
          if (end < bytes.byteLength && stalls) await new Promise(() => undefined);
          if (end < bytes.byteLength) throw Object.assign(new Error('reset'), { code: 'ECONNRESET' });
        })(),
      ),
    };
  };
  // a throw rejects
  return { name: 'random', open: (options) => new Promise((resolve) => resolve(open(options))) };
}

function anyChecksums(upTo: (limit: number) => number) {
  return { checksums: ([['sha256'], ['md5'], ['crc32c', 'md5'], []] as const)[upTo(4)] ?? [] };
}

function anyFault(store: StoragePlugin, upTo: (limit: number) => number): StoragePlugin {
  const at = upTo(400_000);
  const plans = [
    {},
    {},
    { put: [{ failAfterBytes: at }] },
    { put: [{ stallAfterBytes: at }] },
    { put: [{ commitThenFail: true as const }] },
    { put: [{ error: 'PERMISSION_DENIED' as const }] },
    { put: [{ delayMs: 30 }] },
    { put: [{ commitThenFail: true as const }], head: [{ error: 'UNAVAILABLE' as const }] },
  ];
  return faultyStorage(store, plans[upTo(plans.length)] ?? {});
}

/** mulberry32 */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
