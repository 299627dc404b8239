import { getEventListeners } from 'node:events';
import { describe, expect, it } from '@jest/globals';
import { PartUploader, type UploadProtocol } from '../../src/plugin/index.ts';
import { contentOf, GivenBody, type GivenBodyOptions } from './given-body.ts';
import { RecordedUpload, RequestMemory, type StoreScript, turns, unanswered } from './recorded-upload.ts';
import { rejection } from './rejection.ts';

const PART = 1000;
const content = contentOf(6 * PART);
const refused = new Error('refused');
const broken = new Error('the source broke');

const newUploader = (): PartUploader => new PartUploader({ partBytes: PART, partsAtOnce: 4, extraBuffers: 3 });

/** One put that fails, with a signal that nobody aborts. */
async function failing(script: StoreScript, bodyOptions: GivenBodyOptions = {}, uploader = newUploader()) {
  const body = new GivenBody(content, bodyOptions);
  const store = new RecordedUpload(script);
  const { signal } = new AbortController();
  const error = await rejection(uploader.upload(body, store, signal));
  return { body, store, error, listeners: getEventListeners(signal, 'abort').length };
}

const refuse = (): Promise<never> => Promise.reject(refused);
const refuseLater = async (): Promise<never> => {
  await turns(2);
  throw refused;
};

describe.each<{ title: string; script: StoreScript; body?: GivenBodyOptions; error: unknown; cancels: number }>([
  { title: 'the whole object is refused', script: { partBytes: 9000, whole: refuseLater }, error: refused, cancels: 0 },
  { title: 'no session is given', script: { begin: refuseLater }, error: refused, cancels: 0 },
  {
    title: 'the first part is refused',
    script: { part: (number, signal) => (number === 1 ? refuse() : unanswered(signal)) },
    error: refused,
    cancels: 1,
  },
  {
    title: 'a part is refused while its siblings are under way',
    script: { part: (number, signal) => (number === 3 ? refuseLater() : unanswered(signal)) },
    error: refused,
    cancels: 1,
  },
  {
    title: 'a part is refused while the source stalls',
    script: { part: (number, signal) => (number === 2 ? refuseLater() : unanswered(signal)) },
    body: { stallAt: 3 * PART + 500 },
    error: refused,
    cancels: 1,
  },
  {
    title: 'the last part is refused',
    script: { part: (number) => (number === 6 ? refuseLater() : turns(1)) },
    error: refused,
    cancels: 1,
  },
  { title: 'completing is refused', script: { complete: refuseLater }, error: refused, cancels: 1 },
  {
    title: 'the source breaks before the first part is full',
    script: {},
    body: { failAt: { bytes: 500, error: broken } },
    error: broken,
    cancels: 0,
  },
  {
    title: 'the source breaks while parts are under way',
    script: { part: (_number, signal) => unanswered(signal) },
    body: { failAt: { bytes: 3 * PART + 500, error: broken } },
    error: broken,
    cancels: 1,
  },
  {
    title: 'the source breaks at its very end',
    script: {},
    body: { failAt: { bytes: 6 * PART, error: broken } },
    error: broken,
    cancels: 1,
  },
  {
    title: 'the source ends short',
    script: {},
    body: { size: 6 * PART + 1 },
    error: expect.objectContaining({ code: 'SOURCE_TRUNCATED', scope: 'source' }),
    cancels: 1,
  },
  {
    title: 'the source goes on behind its size',
    script: {},
    body: { size: 6 * PART - 1 },
    error: expect.objectContaining({ code: 'TOO_LARGE', scope: 'source' }),
    cancels: 1,
  },
  {
    title: 'a source that fits into one part ends short',
    script: { partBytes: 9000 },
    body: { size: 6 * PART + 1 },
    error: expect.objectContaining({ code: 'SOURCE_TRUNCATED', scope: 'source' }),
    cancels: 0,
  },
  {
    title: 'a source that fits into one part goes on behind its size',
    script: { partBytes: 9000 },
    body: { size: 6 * PART - 1 },
    error: expect.objectContaining({ code: 'TOO_LARGE', scope: 'source' }),
    cancels: 0,
  },
])('when $title', ({ script, body: bodyOptions, error: wanted, cancels }) => {
  it('the put rejects with that, releases the source and makes the store forget the parts', async () => {
    const { body, store, error, listeners } = await failing(script, bodyOptions);

    if (wanted instanceof Error) expect(error).toBe(wanted);
    else expect(error).toEqual(wanted);
    expect(body.released).toBe(true);
    // once, if there was a session, and with no part under way that could arrive behind it
    expect(store.cancelled).toEqual(Array.from({ length: cancels }, () => 0));
    expect(store.memory.broken).toEqual([]);
    expect(listeners).toBe(0);
  });

  it('the next puts have all buffers again', async () => {
    const uploader = newUploader();
    for (let round = 0; round < 3; round += 1) await failing(script, bodyOptions, uploader);

    const store = new RecordedUpload({ part: () => turns(8) });
    const stored = await uploader.upload(new GivenBody(content), store);

    expect(stored.equals(content)).toBe(true);
    expect(store.mostPartsUnderWay).toBe(4);
  });
});

it('a part that is refused stops its siblings at once, and nothing is read or sent any more', async () => {
  const answer = Promise.withResolvers<never>();
  const stopped: number[] = [];
  const script: StoreScript = {
    part: async (number, signal) => {
      if (number === 2) return answer.promise;
      await unanswered(signal).catch(() => stopped.push(number));
      // an SDK takes its time
      await turns(5);
      throw new DOMException('This operation was aborted', 'AbortError');
    },
  };
  const body = new GivenBody(content, { lengths: [100] });
  const store = new RecordedUpload(script);

  const put = rejection(newUploader().upload(body, store));
  await turns(100);
  const { given } = body;
  const underWay = store.partsUnderWay;
  answer.reject(refused);
  await turns(1);

  expect([underWay, stopped]).toEqual([4, [1, 3, 4]]);
  expect(store.cancelled).toEqual([]);
  expect(await put).toBe(refused);
  expect([store.parts.length, body.given]).toEqual([4, given]);
  expect(store.cancelled).toEqual([0]);
});

it('of several refusals the first one is told, whichever part it was', async () => {
  const later = new Error('refused too');
  const { error } = await failing({
    part: async (number) => {
      if (number === 3) return refuse();
      await turns(1);
      throw later;
    },
  });

  expect(error).toBe(refused);
});

it('what the source threw is told although parts fail in the same moment', async () => {
  const parts: ((error: Error) => void)[] = [];
  const source = {
    chunks: (async function* () {
      for (let part = 0; part < 3; part += 1) yield content.subarray(part * PART, (part + 1) * PART);
      await turns(2);
      queueMicrotask(() => queueMicrotask(() => parts.forEach((reject) => reject(refused))));
      throw broken;
    })(),
  };
  const store = new RecordedUpload({ part: () => new Promise((_resolve, reject) => parts.push(reject)) });

  const error = await rejection(newUploader().upload(source, store));

  expect(parts.length).toBe(2);
  expect(error).toBe(broken);
});

describe('a cancelling', () => {
  it('that is refused hides nothing', async () => {
    const { error, store } = await failing({ part: refuseLater, cancel: () => Promise.reject(new Error('no')) });

    expect(error).toBe(refused);
    expect(store.cancelled).toEqual([0]);
  });

  it('that throws before it returns a promise hides nothing', async () => {
    const store: UploadProtocol<string, string, string> = {
      whole: () => Promise.resolve('whole'),
      begin: () => Promise.resolve('session'),
      part: () => {
        throw refused;
      },
      complete: () => Promise.resolve('complete'),
      cancel: () => {
        throw new Error('no');
      },
    };
    const body = new GivenBody(content);

    const error = await rejection(newUploader().upload(body, store));

    expect(error).toBe(refused);
    expect(body.released).toBe(true);
  });

  it('is waited for, so that nothing is left when the put rejects', async () => {
    let forgotten = false;
    const { error } = await failing({
      part: refuseLater,
      cancel: async () => {
        await new Promise((resolve) => setTimeout(resolve, 100));
        forgotten = true;
      },
    });

    expect([error, forgotten]).toEqual([refused, true]);
  });

  it('leaves no timer behind, which would keep a process alive', async () => {
    const timers = (): number => process.getActiveResourcesInfo().filter((resource) => resource === 'Timeout').length;
    const before = timers();

    await failing({ part: refuseLater });

    expect(timers()).toBe(before);
  });

  it('that is not answered is waited for a second and no longer', async () => {
    const before = Date.now();

    const { error } = await failing({ complete: refuse, cancel: () => new Promise(() => undefined) });

    expect(error).toBe(refused);
    expect(Date.now() - before).toBeGreaterThan(900);
    expect(Date.now() - before).toBeLessThan(2500);
  });
});

it('the memory of a part that failed is not used again: its request may be reading it still', async () => {
  const uploader = newUploader();
  const memory = new RequestMemory();
  const end = Promise.withResolvers<void>();
  const keeping = uploader.upload(new GivenBody(content), new RecordedUpload({ complete: () => end.promise }, memory));

  for (let round = 0; round < 5; round += 1) {
    const script: StoreScript = {
      part: (number, signal) => (number === 3 ? refuseLater() : number === 2 ? turns(1) : unanswered(signal)),
    };
    await rejection(uploader.upload(new GivenBody(content), new RecordedUpload(script, memory)));
    await uploader.upload(new GivenBody(content), new RecordedUpload({ part: () => turns(2) }, memory));
  }
  end.resolve();
  await keeping;

  expect(memory.failed.size).toBeGreaterThan(10);
  expect(memory.broken).toEqual([]);
});

it('the memory of an object that was refused whole is not used again either', async () => {
  const uploader = newUploader();
  const memory = new RequestMemory();
  const end = Promise.withResolvers<void>();
  const keeping = uploader.upload(new GivenBody(content), new RecordedUpload({ complete: () => end.promise }, memory));

  await rejection(uploader.upload(new GivenBody(contentOf(10)), new RecordedUpload({ whole: refuse }, memory)));
  await uploader.upload(new GivenBody(content), new RecordedUpload({ part: () => turns(2) }, memory));
  end.resolve();
  await keeping;

  expect(memory.failed.size).toBe(1);
  expect(memory.broken).toEqual([]);
});

it('one put that fails does not disturb another one', async () => {
  const uploader = newUploader();
  const store = new RecordedUpload({ part: () => turns(6) });

  const good = uploader.upload(new GivenBody(content), store);
  await failing({ part: refuseLater }, {}, uploader);

  expect((await good).equals(content)).toBe(true);
});
