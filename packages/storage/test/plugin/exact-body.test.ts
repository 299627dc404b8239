import { getEventListeners } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from '@jest/globals';
import { StorageError } from '../../src/index.ts';
import { exactBody, type ExactBodyOptions } from '../../src/plugin/index.ts';
import { contentOf } from './given-body.ts';
import { turns } from './recorded-upload.ts';
import { rejection } from './rejection.ts';
import { serve } from './web-server.ts';

const KiB = 1024;
const IDLE_MS = 80;
const content = contentOf(1000);
const broken = new Error('socket hang up');

const translate = (error: unknown): StorageError => StorageError.from(error, { storage: 'bucket' });

const bodyOf = (source: Readable, options: Partial<ExactBodyOptions> = {}): Readable =>
  exactBody(source, { bytes: content.length, idleMs: IDLE_MS, translate, ...options });

/** A stream that the test feeds. */
const fed = (): Readable => new Readable({ read: () => undefined });

describe('the length', () => {
  it('is right: everything arrives, and the stream of the SDK is done with', async () => {
    const source = Readable.from([content.subarray(0, 10), Buffer.alloc(0), content.subarray(10)]);

    const read = await buffer(bodyOf(source));

    expect(read.equals(content)).toBe(true);
    expect(source.destroyed).toBe(true);
  });

  it('is nothing: the body is empty', async () => {
    expect(await buffer(bodyOf(Readable.from([]), { bytes: 0 }))).toEqual(Buffer.alloc(0));
  });

  it.each([0, 1, 999])('is short, %d bytes: the body errors in the place of an end', async (bytes) => {
    const error = await rejection(buffer(bodyOf(Readable.from([content.subarray(0, bytes)]))));

    expect(error).toMatchObject({ code: 'NETWORK', message: `The store has sent ${bytes} of 1000 bytes.` });
  });

  it('is too long: the body errors, and gives no byte too much', async () => {
    let given = 0;
    const source = Readable.from([content.subarray(0, 600), content.subarray(600), content.subarray(0, 1)]);
    const body = bodyOf(source).on('data', (chunk: Buffer) => (given += chunk.length));

    const error = await rejection(new Promise((_resolve, reject) => body.once('error', reject)));

    expect(error).toMatchObject({ code: 'NETWORK', message: 'The store has sent 1001 and more of 1000 bytes.' });
    expect(given).toBeLessThanOrEqual(1000);
    expect(source.destroyed).toBe(true);
  });
});

describe('a store that stalls', () => {
  it.each([0, 400])('behind %d bytes is told by the body, which closes the stream', async (bytes) => {
    const source = fed();
    if (bytes > 0) source.push(content.subarray(0, bytes));
    const before = Date.now();

    const error = await rejection(buffer(bodyOf(source)));

    expect(error).toMatchObject({
      code: 'STALLED',
      message: `The store has sent nothing for ${IDLE_MS} ms, ${bytes} of 1000 bytes in.`,
    });
    expect(source.destroyed).toBe(true);
    expect(Date.now() - before).toBeGreaterThan(IDLE_MS - 10);
    expect(Date.now() - before).toBeLessThan(2000);
  });

  it('before the end, though all bytes are there, is told as well', async () => {
    const source = fed();
    source.push(content);

    expect(await rejection(buffer(bodyOf(source)))).toMatchObject({ code: 'STALLED' });
  });

  it('is no store that is slow: each byte begins the patience anew', async () => {
    const source = fed();
    const body = buffer(bodyOf(source));

    for (let at = 0; at < 1000; at += 125) {
      source.push(content.subarray(at, at + 125));
      await sleep(IDLE_MS / 4);
    }
    source.push(null);

    expect((await body).equals(content)).toBe(true);
  });

  it('is not told while nobody reads', async () => {
    const content = contentOf(512 * KiB);
    const source = Readable.from(slices(content, 64 * KiB));
    const unread = bodyOf(Readable.from([content]), { bytes: content.length });
    const chunks: Buffer[] = [];

    for await (const chunk of bodyOf(source, { bytes: content.length })) {
      chunks.push(chunk as Buffer);
      if (chunks.length === 2) await sleep(2.5 * IDLE_MS);
    }

    expect(Buffer.concat(chunks).equals(content)).toBe(true);
    expect((await buffer(unread)).equals(content)).toBe(true);
  });
});

describe('an error of the SDK', () => {
  it('is translated, whenever it comes', async () => {
    const [early, waiting, between] = [fed(), fed(), fed()];
    early.destroy(broken);
    between.push(content.subarray(0, 10));

    const errors = [
      rejection(buffer(bodyOf(early))),
      rejection(buffer(bodyOf(waiting))),
      rejection(
        (async () => {
          for await (const _chunk of bodyOf(between)) {
            between.destroy(broken);
            await sleep(1);
          }
        })(),
      ),
    ];
    await sleep(5);
    waiting.destroy(broken);

    for (const error of await Promise.all(errors)) {
      expect(error).toMatchObject({ code: 'INTERNAL', storage: 'bucket', cause: broken });
    }
  });

  it('behind the end of the body is no uncaught exception', async () => {
    const [ended, left] = [fed(), fed()];
    ended.push(content);
    ended.push(null);
    await buffer(bodyOf(ended));
    const body = bodyOf(left);
    body.destroy();

    // Jest fails the test when an exception is uncaught
    ended.emit('error', broken);
    left.emit('error', broken);
    await sleep(1);

    expect([body.destroyed, body.errored]).toEqual([true, null]);
  });

  it('and what the body finds out by itself go through the translation, which knows the call', async () => {
    const seen: unknown[] = [];
    const named = new StorageError('STALLED', 'Bucket films went silent.', { storage: 'bucket' });
    const body = bodyOf(fed(), {
      translate: (error) => {
        seen.push(error);
        return named;
      },
    });

    expect(await rejection(buffer(body))).toBe(named);
    expect(seen).toMatchObject([{ code: 'STALLED' }]);
  });
});

describe('an abort', () => {
  const reason = new Error('the viewer left');

  it.each([
    { title: 'that came before', early: true },
    { title: 'while the store stalls', early: false },
  ])('$title closes the body and the stream', async ({ early }) => {
    const source = fed();
    source.push(content.subarray(0, 10));
    const controller = new AbortController();
    if (early) controller.abort(reason);

    const reading = rejection(buffer(bodyOf(source, { signal: controller.signal, idleMs: 5000 })));
    await sleep(early ? 0 : 10);
    controller.abort(reason);

    expect(await reading).toMatchObject({ code: 'ABORTED', scope: 'local', cause: reason });
    expect(source.destroyed).toBe(true);
    expect(getEventListeners(controller.signal, 'abort')).toEqual([]);
  });

  it('is not listened for once the body has ended or was left', async () => {
    const { signal } = new AbortController();

    await buffer(bodyOf(Readable.from([content]), { signal }));
    const left = bodyOf(fed(), { signal });
    const during = getEventListeners(signal, 'abort').length;
    left.destroy();
    await sleep(1);

    expect([during, getEventListeners(signal, 'abort').length]).toEqual([1, 0]);
  });
});

it('destroying the body closes the connection to the store', async () => {
  const closed = Promise.withResolvers<void>();
  const origin = await serve((_request, response) => {
    response.once('close', closed.resolve);
    response.write(content.subarray(0, 500));
  });
  const source = await new Promise<IncomingMessage>((resolve) => get(origin, resolve));
  const body = bodyOf(source, { idleMs: 5000 });

  for await (const _chunk of body) break;

  expect(source.destroyed).toBe(true);
  await closed.promise;
});

it('a connection that breaks in the middle is an error, never an end', async () => {
  const origin = await serve((_request, response) => {
    response.writeHead(200, { 'content-length': '1000' });
    response.write(content.subarray(0, 500), () => setTimeout(() => response.destroy(), 10));
  });
  const source = await new Promise<IncomingMessage>((resolve) => get(origin, resolve));

  const error = await rejection(buffer(bodyOf(source, { idleMs: 5000 })));

  expect(error).toMatchObject({ code: 'INTERNAL', cause: { code: 'ECONNRESET' } });
});

it('takes from the store no more than a little ahead of its reader', async () => {
  const bytes = 32 * 1024 * KiB;
  const slice = Buffer.alloc(64 * KiB, 1);
  let given = 0;
  const source = new Readable({
    read() {
      given += slice.length;
      this.push(given > bytes ? null : slice);
    },
  });
  let read = 0;
  let ahead = 0;

  for await (const chunk of bodyOf(source, { bytes, idleMs: 5000 })) {
    read += (chunk as Buffer).length;
    // a slow reader: everything that could happen meanwhile, happens
    for (let before = -1; before < given;) {
      before = given;
      await turns(10);
    }
    ahead = Math.max(ahead, given - read);
  }

  expect(read).toBe(bytes);
  expect(ahead).toBeLessThanOrEqual(512 * KiB);
});

function* slices(bytes: Buffer, length: number): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += length) yield bytes.subarray(at, at + length);
}
