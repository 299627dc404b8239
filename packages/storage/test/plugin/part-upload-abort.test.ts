import { getEventListeners } from 'node:events';
import { Readable } from 'node:stream';
import { describe, expect, it } from '@jest/globals';
import { StorageError } from '../../src/index.ts';
import { PartUploader } from '../../src/plugin/index.ts';
import { contentOf, GivenBody, type GivenBodyOptions } from './given-body.ts';
import { RecordedUpload, type StoreScript, turns, unanswered } from './recorded-upload.ts';
import { rejection } from './rejection.ts';

const PART = 1000;
const content = contentOf(6 * PART);
const reason = new Error('another store was quicker');

const newUploader = (): PartUploader => new PartUploader({ partBytes: PART, partsAtOnce: 4, extraBuffers: 3 });

/** A put that is aborted when `when` resolves. */
async function aborted(
  script: StoreScript,
  bodyOptions: GivenBodyOptions,
  when: (body: GivenBody) => Promise<unknown> = () => turns(60),
) {
  const controller = new AbortController();
  const { signal } = controller;
  const body = new GivenBody(content, bodyOptions);
  const store = new RecordedUpload(script);
  const put = rejection(newUploader().upload(body, store, signal));
  await when(body);
  controller.abort(reason);
  const error = await put;
  return { body, store, error, listeners: getEventListeners(signal, 'abort').length };
}

it('an abort that came before touches neither the store nor the source', async () => {
  const body = new GivenBody(content);
  const store = new RecordedUpload();
  const signal = AbortSignal.abort(reason);

  const error = await rejection(newUploader().upload(body, store, signal));

  expect(error).toMatchObject({ code: 'ABORTED', scope: 'local', cause: reason });
  expect(store.requests).toEqual([]);
  expect([body.given, body.released]).toEqual([0, true]);
  expect(getEventListeners(signal, 'abort')).toEqual([]);
});

it('an abort that came before closes a stream that nobody has read from', async () => {
  const chunks = Readable.from([content]);

  await rejection(newUploader().upload({ chunks }, new RecordedUpload(), AbortSignal.abort()));

  expect(chunks.destroyed).toBe(true);
});

describe.each<{
  title: string;
  script: StoreScript;
  body?: GivenBodyOptions;
  when?: (body: GivenBody) => Promise<unknown>;
  cancels: number;
}>([
  {
    title: 'while the source stalls before its first byte',
    script: {},
    body: { stallAt: 0 },
    when: ({ stalled }) => stalled,
    cancels: 0,
  },
  {
    title: 'while the source stalls and nothing is under way',
    script: {},
    body: { stallAt: 2500 },
    when: ({ stalled }) => stalled.then(() => turns(3)),
    cancels: 1,
  },
  {
    title: 'while the source stalls and parts are under way',
    script: { part: (_number, signal) => unanswered(signal) },
    body: { stallAt: 2500 },
    when: ({ stalled }) => stalled,
    cancels: 1,
  },
  {
    title: 'while the source could go on and parts are under way',
    script: { part: (_number, signal) => unanswered(signal) },
    cancels: 1,
  },
  {
    title: 'while the last parts are under way',
    script: { part: (number, signal) => (number < 5 ? turns(1) : unanswered(signal)) },
    when: async (body) => {
      while (!body.released) await turns(1);
      await turns(20);
    },
    cancels: 1,
  },
])('an abort $title', ({ script, body: bodyOptions = {}, when, cancels }) => {
  it('ends the put at once, leaves nothing in the store and releases the source', async () => {
    const { body, store, error, listeners } = await aborted(script, bodyOptions, when);

    expect(error).toMatchObject({ code: 'ABORTED', scope: 'local', cause: reason });
    expect(store.cancelled).toEqual(Array.from({ length: cancels }, () => 0));
    expect(store.requests).not.toContain('complete');
    expect(body.released).toBe(true);
    expect(listeners).toBe(0);
  });
});

it('an abort settles the put though the source is a generator that stalls and cannot be closed', async () => {
  const controller = new AbortController();
  const stalls = Promise.withResolvers<void>();
  const chunks = (async function* () {
    yield content.subarray(0, 2500);
    stalls.resolve();
    await new Promise(() => undefined);
  })();
  const store = new RecordedUpload();

  const put = rejection(newUploader().upload({ chunks }, store, controller.signal));
  await stalls.promise;
  controller.abort();

  expect(await put).toMatchObject({ code: 'ABORTED' });
  expect(store.cancelled).toEqual([0]);
});

it('an abort behind the last part completes nothing', async () => {
  const controller = new AbortController();
  const store = new RecordedUpload({
    part: async (number) => {
      await turns(number * 3);
      if (number === 6) controller.abort(reason);
    },
  });

  const error = await rejection(newUploader().upload(new GivenBody(content), store, controller.signal));

  expect(error).toMatchObject({ code: 'ABORTED', cause: reason });
  expect(store.parts.length).toBe(6);
  expect(store.requests).not.toContain('complete');
  expect(store.cancelled).toEqual([0]);
});

it('an abort is no excuse for a part that was refused before', async () => {
  const refused = new Error('refused');
  const controller = new AbortController();
  const store = new RecordedUpload({
    part: async (number, signal) => {
      if (number === 1) {
        await turns(30);
        throw refused;
      }
      await unanswered(signal).catch(() => undefined);
      controller.abort();
      throw new Error('stopped');
    },
  });

  const error = await rejection(newUploader().upload(new GivenBody(content), store, controller.signal));

  expect(error).toBe(refused);
});

describe('what the store says of an abort', () => {
  // only the plugin knows whether a request that was cut off took effect
  const unknown = new StorageError('ABORTED', 'Cut off.', { committed: 'unknown' });
  const cutOff = (signal: AbortSignal): Promise<never> =>
    unanswered(signal).catch(() => {
      throw unknown;
    });

  it.each<{ title: string; script: StoreScript; cancels: number }>([
    { title: 'of the whole object', script: { partBytes: 9000, whole: cutOff }, cancels: 0 },
    { title: 'of beginning', script: { begin: cutOff }, cancels: 0 },
    { title: 'of completing', script: { complete: cutOff }, cancels: 1 },
  ])('in the middle $title is passed on', async ({ script, cancels }) => {
    const { error, body, store, listeners } = await aborted(script, {}, () => turns(150));

    expect(error).toBe(unknown);
    expect(body.released).toBe(true);
    expect(store.cancelled).toEqual(Array.from({ length: cancels }, () => 0));
    expect(listeners).toBe(0);
  });

  it('is not heard while it has nothing more to do', async () => {
    const controller = new AbortController();
    const signals: AbortSignal[] = [];
    const store = new RecordedUpload({
      part: (_number, signal) => {
        signals.push(signal);
        return turns(1);
      },
    });

    await newUploader().upload(new GivenBody(content), store, controller.signal);
    controller.abort();

    expect(signals.map(({ aborted }) => aborted)).toEqual(Array.from({ length: 6 }, () => false));
  });
});

it('an abort between begin and the first part cancels the session that was given', async () => {
  const controller = new AbortController();
  const store = new RecordedUpload({
    begin: () => {
      controller.abort(reason);
      return turns(1);
    },
  });

  const error = await rejection(newUploader().upload(new GivenBody(content), store, controller.signal));

  expect(error).toMatchObject({ code: 'ABORTED', cause: reason });
  expect(store.cancelled).toEqual([0]);
});

it('an abort of one put is not one of another, and a signal of many puts collects no listeners', async () => {
  const uploader = newUploader();
  const shared = new AbortController();
  const own = new AbortController();

  const stopped = rejection(
    uploader.upload(new GivenBody(content, { stallAt: 1500 }), new RecordedUpload(), own.signal),
  );
  const others = Array.from({ length: 20 }, () =>
    uploader.upload(new GivenBody(content), new RecordedUpload({ part: () => turns(3) }), shared.signal),
  );
  own.abort();

  expect(await stopped).toMatchObject({ code: 'ABORTED' });
  const stored = await Promise.all(others);
  expect(stored.every((object) => object.equals(content))).toBe(true);
  expect(getEventListeners(shared.signal, 'abort')).toEqual([]);
});
