import { getEventListeners } from 'node:events';
import { describe, expect, it } from '@jest/globals';
import { StorageError } from '../../src/index.ts';
import { PartUploader } from '../../src/plugin/index.ts';
import { contentOf, GivenBody } from './given-body.ts';
import { RecordedUpload, RequestMemory, type StoreScript, turns, unanswered } from './recorded-upload.ts';

const HISTORIES = 250;
/** UPLOAD_SEED=… repeats a run. */
const FIRST_SEED = Number(process.env['UPLOAD_SEED'] ?? Math.floor(Math.random() * 1e9));

describe(`random histories from seed ${FIRST_SEED}`, () => {
  it('store whole objects or nothing, within their memory', async () => {
    const seeds = Array.from({ length: HISTORIES }, (_, index) => FIRST_SEED + index);

    const histories = await Promise.all(seeds.map(history));

    expect(histories.flatMap(({ broken }) => broken)).toEqual([]);
    // there was something to see
    const stored = histories.flatMap((each) => each.stored);
    expect(stored.filter((well) => well).length).toBeGreaterThan(HISTORIES / 2);
    expect(stored.filter((well) => !well).length).toBeGreaterThan(HISTORIES / 2);
  });
});

/** Some puts of one uploader. @returns what did not hold, with the seed; which puts were stored */
async function history(seed: number): Promise<{ broken: string[]; stored: boolean[] }> {
  const random = randomFrom(seed);
  const upTo = (limit: number): number => Math.floor(random() * limit);
  const options = { partBytes: 20 + upTo(200), partsAtOnce: 1 + upTo(5), extraBuffers: upTo(6) };
  const uploader = new PartUploader(options);
  const memory = new RequestMemory();
  const count = 1 + upTo(6);

  const puts = await Promise.all(
    Array.from({ length: count }, (_, index) => onePut(uploader, options, memory, upTo, seed * 10 + index)),
  );
  // whatever happened, everything is there again
  const after = new RecordedUpload({ part: () => turns(30) });
  await uploader.upload(new GivenBody(contentOf(10 * options.partBytes), { lengths: [500] }), after);

  const broken = [...memory.broken, ...puts.flatMap((put) => put.broken)];
  if (memory.mostUnderWay > count + options.extraBuffers) broken.push(`${memory.mostUnderWay} buffers at once`);
  if (after.mostPartsUnderWay !== Math.min(options.partsAtOnce, 1 + options.extraBuffers))
    broken.push('buffers are lost');
  return { broken: broken.map((what) => `${seed}: ${what}`), stored: puts.map(({ stored }) => stored) };
}

async function onePut(
  uploader: PartUploader,
  { partBytes, partsAtOnce }: { partBytes: number; partsAtOnce: number },
  memory: RequestMemory,
  upTo: (limit: number) => number,
  seed: number,
): Promise<{ broken: string[]; stored: boolean }> {
  const own = new Error(`of put ${seed}`);
  const sometimes = (): boolean => upTo(8) === 0;
  const fails = {
    body: sometimes(),
    whole: sometimes(),
    begin: sometimes(),
    complete: sometimes(),
    cancel: sometimes(),
  };
  const failingPart = sometimes() ? 1 + upTo(6) : 0;
  const aborts = sometimes() ? upTo(60) : undefined;
  const answer = async (failed: boolean): Promise<void> => {
    await turns(upTo(6));
    if (failed) throw own;
  };
  const script: StoreScript = {
    ...(sometimes() ? { partBytes: Math.ceil(partBytes / 2) + upTo(partBytes) } : {}),
    whole: () => answer(fails.whole),
    begin: () => answer(fails.begin),
    // what is sent behind a part that fails, and before an abort, may have no answer at all
    part: (number, signal) =>
      ((failingPart > 0 && number > failingPart) || aborts !== undefined) && upTo(3) === 0
        ? unanswered(signal)
        : answer(number === failingPart),
    complete: () => answer(fails.complete),
    cancel: () => answer(fails.cancel),
  };
  const content = contentOf(upTo(8 * partBytes), seed);
  const announced = [undefined, content.length, content.length, content.length + upTo(3) - 1][upTo(4)];
  const body = new GivenBody(content, {
    ...(announced === undefined || announced < 0 ? {} : { size: announced }),
    lengths: [1 + upTo(2 * partBytes), upTo(30)],
    ...(fails.body ? { failAt: { bytes: upTo(content.length + 1), error: own } } : {}),
    pace: () => turns(upTo(3)),
  });
  const store = new RecordedUpload(script, memory);
  const controller = new AbortController();
  await turns(upTo(20));
  if (aborts === 0) controller.abort();
  else if (aborts !== undefined) void turns(aborts).then(() => controller.abort());

  const outcome = await uploader.upload(body, store, controller.signal).then(
    (object) => ({ object }),
    (error: unknown) => ({ error }),
  );

  const broken: string[] = [];
  const stored = 'object' in outcome;
  const code = !stored && StorageError.is(outcome.error) ? outcome.error.code : undefined;
  if (stored && !content.equals(outcome.object)) broken.push('stored other bytes');
  if (stored && announced !== undefined && announced >= 0 && announced !== content.length) {
    broken.push(`stored ${content.length} of ${announced} bytes`);
  }
  if (code === undefined ? !stored && outcome.error !== own : !isDue(code, announced, content, aborts)) {
    broken.push(`rejected with ${code ?? String((outcome as { error: unknown }).error)}`);
  }
  if (!body.released) broken.push('the source is not released');
  const cancels = stored ? [] : Array.from({ length: store.sessions }, () => 0);
  if (store.cancelled.join() !== cancels.join()) broken.push(`cancelled with [${store.cancelled.join()}] under way`);
  if (store.sizes.slice(0, -1).some((size) => size !== (script.partBytes ?? partBytes))) {
    broken.push(`parts of ${store.sizes.join()} bytes`);
  }
  if (store.mostPartsUnderWay > partsAtOnce) broken.push(`${store.mostPartsUnderWay} parts at once`);
  if (getEventListeners(controller.signal, 'abort').length > 0) broken.push('a listener is left');
  return { broken, stored };
}

function isDue(code: string, announced: number | undefined, content: Buffer, aborts: number | undefined): boolean {
  if (code === 'ABORTED') return aborts !== undefined;
  if (code === 'SOURCE_TRUNCATED') return announced !== undefined && announced > content.length;
  return code === 'TOO_LARGE' && announced !== undefined && announced < content.length;
}

/** Numbers from 0 to 1 that are the same for the same seed (mulberry32). */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
