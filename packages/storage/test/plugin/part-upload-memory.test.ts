import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from '@jest/globals';
import type { ByteSource } from '../../src/index.ts';
import { PartUploader, type UploadProtocol } from '../../src/plugin/index.ts';
import { contentOf, GivenBody } from './given-body.ts';
import { RecordedUpload, RequestMemory, turns } from './recorded-upload.ts';

const PART = 1000;
const MiB = 1024 ** 2;
const content = contentOf(10 * PART);
const large = contentOf(3 * MiB);

/** A put that goes on until it is told to end, so that the memory of the others is not dropped before. */
function longPut(uploader: PartUploader, memory: RequestMemory) {
  const end = Promise.withResolvers<void>();
  const begun = Promise.withResolvers<void>();
  const script = {
    complete: () => {
      begun.resolve();
      return end.promise;
    },
  };
  const put = uploader.upload(new GivenBody(content), new RecordedUpload(script, memory));
  return {
    begun: begun.promise,
    end: (): Promise<unknown> => {
      end.resolve();
      return put;
    },
  };
}

describe('the memory of one store', () => {
  it.each([
    { puts: 1, extraBuffers: 0 },
    { puts: 1, extraBuffers: 3 },
    { puts: 5, extraBuffers: 0 },
    { puts: 5, extraBuffers: 2 },
    { puts: 9, extraBuffers: 4 },
  ])('is $puts + $extraBuffers buffers for $puts puts at once, however often', async ({ puts, extraBuffers }) => {
    const uploader = new PartUploader({ partBytes: PART, partsAtOnce: 4, extraBuffers });
    const memory = new RequestMemory();
    const keeping = longPut(uploader, memory);
    await keeping.begun;

    const chains = Array.from({ length: Math.max(1, puts - 1) }, async (_, chain) => {
      for (let round = 0; round < 6; round += 1) {
        const store = new RecordedUpload({ part: (number) => turns((number * 7 + chain + round) % 5) }, memory);
        const stored = await uploader.upload(new GivenBody(content), store);
        expect(stored.equals(content)).toBe(true);
      }
    });
    await Promise.all(chains);
    await keeping.end();

    const atOnce = Math.max(2, puts);
    expect(memory.broken).toEqual([]);
    // all that there ever was: nothing is dropped while a put goes on
    expect(memory.seen.size).toBeLessThanOrEqual(atOnce + extraBuffers);
    expect([...memory.seen].map(({ byteLength }) => byteLength)).toEqual(
      Array.from({ length: memory.seen.size }, () => PART),
    );
    // and what may be used is used
    expect(memory.mostUnderWay).toBeGreaterThan(Math.min(extraBuffers, 3));
  });

  it('lets one put use all the extra buffers, and leaves every other one its own', async () => {
    const uploader = new PartUploader({ partBytes: PART, partsAtOnce: 8, extraBuffers: 3 });
    const memory = new RequestMemory();
    const answers = Promise.withResolvers<void>();
    const greedy = new RecordedUpload({ part: () => answers.promise }, memory);
    const modest = new RecordedUpload({ part: () => turns(1) }, memory);

    const first = uploader.upload(new GivenBody(content), greedy);
    await turns(30);
    const second = await uploader.upload(new GivenBody(content), modest);

    expect(second.equals(content)).toBe(true);
    expect([greedy.partsUnderWay, modest.mostPartsUnderWay]).toEqual([4, 1]);
    answers.resolve();
    await first;
    expect(memory.broken).toEqual([]);
  });

  it('is no more than the bytes of an object that is small and says so', async () => {
    const uploader = new PartUploader({ partBytes: PART, partsAtOnce: 4, extraBuffers: 4 });
    const memory = new RequestMemory();

    for (const size of [0, 10, PART - 1, PART]) {
      await uploader.upload(new GivenBody(contentOf(size), { size }), new RecordedUpload({}, memory));
    }

    expect([...memory.seen].map(({ byteLength }) => byteLength)).toEqual([0, 10, PART - 1, PART]);
  });

  it('is used again by the next parts and the next puts', async () => {
    const uploader = new PartUploader({ partBytes: PART, partsAtOnce: 1, extraBuffers: 0 });
    const memory = new RequestMemory();

    const keeping = longPut(uploader, memory);
    await keeping.begun;
    const afterOne = memory.seen.size;
    await uploader.upload(new GivenBody(content), new RecordedUpload({}, memory));
    await keeping.end();

    expect([afterOne, memory.seen.size]).toEqual([1, 1]);
  });

  it('is given up when nothing is written any more', async () => {
    const uploader = new PartUploader({ partBytes: PART, partsAtOnce: 1, extraBuffers: 0 });
    const memory = new RequestMemory();

    await uploader.upload(new GivenBody(content), new RecordedUpload({}, memory));
    await uploader.upload(new GivenBody(content), new RecordedUpload({}, memory));

    expect(memory.seen.size).toBe(2);
  });

  it('is not mixed up with that of parts which another store wants larger', async () => {
    const uploader = new PartUploader({ partBytes: PART, partsAtOnce: 2, extraBuffers: 1 });
    const keeping = longPut(uploader, new RequestMemory());
    await keeping.begun;

    const larger = new RecordedUpload({ partBytes: 3 * PART });
    const stored = await uploader.upload(new GivenBody(content), larger);
    await keeping.end();

    expect(larger.sizes).toEqual([3 * PART, 3 * PART, 3 * PART, PART]);
    expect(stored.equals(content)).toBe(true);
  });

  it('does not keep the buffers of such parts for puts that want smaller ones', async () => {
    const uploader = new PartUploader({ partBytes: PART, partsAtOnce: 2, extraBuffers: 1 });
    const keeping = longPut(uploader, new RequestMemory());
    await keeping.begun;
    const before = await arrayBytes();

    await uploader.upload(inOneChunk(large), { ...silent(() => turns(1)), partBytes: MiB });
    const kept = (await arrayBytes()) - before;
    await keeping.end();

    expect(kept / MiB).toBeLessThan(0.5);
  });

  it('keeps its bound when small objects of known size follow large ones', async () => {
    const uploader = new PartUploader({ partBytes: MiB, partsAtOnce: 4, extraBuffers: 2 });
    const small = large.subarray(0, MiB - 1);
    const [end, answer] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const before = await arrayBytes();

    // all that six puts may have is used …
    const keeping = uploader.upload(
      inOneChunk(large),
      silent(() => end.promise),
    );
    await Promise.all(
      Array.from({ length: 5 }, () =>
        uploader.upload(
          inOneChunk(large),
          silent(() => turns(3)),
        ),
      ),
    );
    // … and five of them are followed by small ones
    const puts = Array.from({ length: 5 }, () =>
      uploader.upload(
        inOneChunk(small, small.byteLength),
        silent(() => answer.promise),
      ),
    );
    await turns(20);
    const held = ((await arrayBytes()) - before) / MiB;
    end.resolve();
    answer.resolve();
    await Promise.all([keeping, ...puts]);

    expect(held).toBeGreaterThan(4.9);
    expect(held).toBeLessThan(8.1);
  });
});

it('never waits for itself when several stores are fed from one source, with no buffer to spare', async () => {
  for (const extraBuffers of [0, 1]) {
    const uploaders = [1, 2, 3].map(() => new PartUploader({ partBytes: PART, partsAtOnce: 4, extraBuffers }));
    const films = [contentOf(7 * PART, 1), contentOf(7 * PART + 1, 2), contentOf(9 * PART - 1, 3)];

    // every source gives the next chunk only when all three stores want it, and every store takes all sources at once
    const stored = await Promise.all(
      films.map((film, index) => {
        const bodies = inLockStep(film, 300 + index * 500, uploaders.length);
        return Promise.all(
          uploaders.map((uploader, store) =>
            uploader.upload(
              bodies[(store + index) % bodies.length] ?? new GivenBody(film),
              new RecordedUpload({ part: (number) => turns((number * store + index) % 4) }),
            ),
          ),
        );
      }),
    );

    expect(stored.map((copies, film) => copies.map((copy) => copy.equals(films[film] ?? Buffer.alloc(0))))).toEqual(
      films.map(() => [true, true, true]),
    );
  }
});

/** One source for several readers: each chunk is given when all of them have asked for it, in one memory. */
function inLockStep(film: Buffer, chunkBytes: number, readers: number): ByteSource[] {
  const memory = Buffer.alloc(chunkBytes);
  const waiting: ((result: IteratorResult<Uint8Array>) => void)[] = [];
  let given = 0;
  const next = (): Promise<IteratorResult<Uint8Array>> =>
    new Promise((resolve) => {
      waiting.push(resolve);
      if (waiting.length < readers) return;
      const bytes = film.copy(memory.fill(0xee), 0, given);
      given += bytes;
      for (const answer of waiting.splice(0)) {
        answer(bytes === 0 ? { done: true, value: undefined } : { done: false, value: memory.subarray(0, bytes) });
      }
    });
  return Array.from({ length: readers }, () => ({ chunks: { [Symbol.asyncIterator]: () => ({ next }) } }));
}

/** Holds no memory of its own. */
function inOneChunk(bytes: Buffer, size?: number): ByteSource {
  return { ...(size === undefined ? {} : { size }), chunks: Readable.from([bytes]) };
}

/** A store that keeps nothing. */
function silent(answer: () => Promise<void>): UploadProtocol<void, void, void> {
  return { whole: answer, begin: () => turns(1), part: () => turns(2), complete: answer, cancel: () => turns(1) };
}

/** Bytes of all the ArrayBuffers that somebody still needs. */
async function arrayBytes(): Promise<number> {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  for (let round = 0; round < 3; round += 1) {
    collect();
    // the memory itself is freed by another thread
    await sleep(10);
  }
  return process.memoryUsage().arrayBuffers;
}
