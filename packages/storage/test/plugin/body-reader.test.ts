import { Readable } from 'node:stream';
import { describe, expect, it } from '@jest/globals';
import { BodyReader } from '../../src/plugin/index.ts';
import { contentOf, GivenBody } from './given-body.ts';
import { rejection } from './rejection.ts';

const content = contentOf(1000);
const broken = new Error('the source broke');

/** What was read until it ended, and the error if it did not end well. */
async function readAll(reader: BodyReader): Promise<{ bytes: Buffer; error?: unknown }> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of reader.chunks()) chunks.push(Buffer.from(chunk));
    return { bytes: Buffer.concat(chunks) };
  } catch (error) {
    return { bytes: Buffer.concat(chunks), error };
  }
}

it.each([{ size: 1000 }, {}])('gives what the body gives, of a body of %j', async (options) => {
  const body = new GivenBody(content, { ...options, lengths: [300, 0, 7] });

  const { bytes, error } = await readAll(new BodyReader(body, undefined));

  expect([bytes.equals(content), error]).toEqual([true, undefined]);
});

it('says that the source ended short, with its counts', async () => {
  const { error } = await readAll(new BodyReader(new GivenBody(content, { size: 1001 }), undefined));

  expect(error).toMatchObject({
    code: 'SOURCE_TRUNCATED',
    scope: 'source',
    message: 'The body ended at 1000 of 1001 bytes.',
  });
});

it('says that the source goes on behind its size, and gives nothing of the chunk that does', async () => {
  const { bytes, error } = await readAll(
    new BodyReader(new GivenBody(content, { size: 999, lengths: [500] }), undefined),
  );

  expect(error).toMatchObject({ code: 'TOO_LARGE', scope: 'source' });
  expect(bytes.equals(content.subarray(0, 500))).toBe(true);
});

it('knows the error of the source from its own and from others that look like it', async () => {
  const reader = new BodyReader(new GivenBody(content, { failAt: { bytes: 10, error: broken } }), undefined);

  const { error } = await readAll(reader);

  expect(error).toBe(broken);
  expect([reader.threw(broken), reader.threw(new Error('the source broke')), reader.threw(undefined)]).toEqual([
    true,
    false,
    false,
  ]);
  const short = new BodyReader(new GivenBody(content, { size: 1001 }), undefined);
  const { error: truncated } = await readAll(short);
  expect(short.threw(truncated)).toBe(false);
});

it('knows the error of a source that throws before it returns a promise', async () => {
  const chunks = {
    [Symbol.asyncIterator]: () => ({
      next: () => {
        throw broken;
      },
    }),
  };
  const reader = new BodyReader({ chunks }, new AbortController().signal);

  const { error } = await readAll(reader);

  expect([error, reader.threw(broken)]).toEqual([broken, true]);
});

it('knows that a source that ended has thrown nothing, not even undefined', async () => {
  const reader = new BodyReader(new GivenBody(content), undefined);

  await readAll(reader);

  expect(reader.threw(undefined)).toBe(false);
});

it('stops at an abort while the source stalls', async () => {
  const controller = new AbortController();
  const body = new GivenBody(content, { stallAt: 500 });

  const reading = readAll(new BodyReader(body, controller.signal));
  await body.stalled;
  controller.abort();
  const { bytes, error } = await reading;

  expect(error).toMatchObject({ code: 'ABORTED' });
  expect(bytes.length).toBe(500);
});

it('asks for nothing more once the signal has aborted', async () => {
  const controller = new AbortController();
  const body = new GivenBody(content, { lengths: [100] });
  const chunks = new BodyReader(body, controller.signal).chunks();

  await chunks.next();
  controller.abort();

  expect(await rejection(chunks.next())).toMatchObject({ code: 'ABORTED' });
  expect(body.given).toBe(100);
});

describe('closing', () => {
  it('destroys a stream, whether or not its reading began', async () => {
    const [unread, read] = [Readable.from([content]), Readable.from([content, content])];
    const begun = new BodyReader({ chunks: read }, undefined);
    await begun.chunks().next();

    begun.close();
    new BodyReader({ chunks: unread }, undefined).close();

    expect([unread.destroyed, read.destroyed]).toEqual([true, true]);
  });

  it('tells an iterator that it may stop, once', async () => {
    let returns = 0;
    const iterator = {
      next: () => Promise.resolve({ done: false as const, value: content }),
      return: () => {
        returns += 1;
        return Promise.resolve({ done: true as const, value: undefined });
      },
    };
    let iterators = 0;
    const chunks = {
      [Symbol.asyncIterator]: () => {
        iterators += 1;
        return iterator;
      },
    };
    const reader = new BodyReader({ chunks }, undefined);
    await reader.chunks().next();

    reader.close();
    reader.close();

    expect([iterators, returns]).toEqual([1, 1]);
  });

  it('leaves a source alone that has ended or failed by itself', async () => {
    let returns = 0;
    const source = (last: () => Promise<IteratorResult<Uint8Array>>) => ({
      chunks: {
        [Symbol.asyncIterator]: () => ({
          next: last,
          return: () => {
            returns += 1;
            return Promise.resolve({ done: true as const, value: undefined });
          },
        }),
      },
    });
    const ended = new BodyReader(
      source(() => Promise.resolve({ done: true, value: undefined })),
      undefined,
    );
    const failed = new BodyReader(
      source(() => Promise.reject(broken)),
      undefined,
    );
    await readAll(ended);
    await readAll(failed);

    ended.close();
    failed.close();

    expect(returns).toBe(0);
  });

  it('neither waits for a source that stalls nor hears what it complains of', async () => {
    const move = Promise.withResolvers<never>();
    const chunks = (async function* () {
      yield content;
      await move.promise;
    })();
    const controller = new AbortController();
    const reader = new BodyReader({ chunks }, controller.signal);
    const reading = readAll(reader);
    await new Promise((resolve) => setImmediate(resolve));

    controller.abort();
    reader.close();
    const { error } = await reading;
    // Jest fails the test when a rejection is unhandled
    move.reject(broken);
    await new Promise((resolve) => setImmediate(resolve));

    expect(error).toMatchObject({ code: 'ABORTED' });
  });

  it('hears no complaint of an iterator that cannot stop', async () => {
    const chunks = {
      [Symbol.asyncIterator]: () => ({
        next: () => new Promise<never>(() => undefined),
        return: () => Promise.reject(broken),
      }),
    };

    expect(() => new BodyReader({ chunks }, undefined).close()).not.toThrow();
    // Jest fails the test when a rejection is unhandled
    await new Promise((resolve) => setImmediate(resolve));
  });

  it('needs no return() of the iterator', () => {
    const chunks = { [Symbol.asyncIterator]: () => ({ next: () => new Promise<never>(() => undefined) }) };

    expect(() => new BodyReader({ chunks }, undefined).close()).not.toThrow();
  });
});
