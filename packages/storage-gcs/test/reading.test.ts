import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { buffer } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from '@jest/globals';
import { startFaultProxy } from '@paradoxon/storage-testing';
import { bodyOf, failure, keysOf, MiB, read, startServer, storeOf } from './gcs-place.ts';

const MEDIA = { method: 'GET', path: /alt=media/ };

describe('open', () => {
  it('reads the version that it has found, and the next one when that was overwritten meanwhile', async () => {
    const server = await startServer();
    const store = await storeOf(server);
    const { etag } = await store.put('a', bodyOf('old'));
    server.fail(MEDIA, [{ status: 404, body: 'No such object: films/a' }]);

    const opened = await store.open('a');

    expect((await buffer(opened.body)).toString()).toBe('old');
    const asked = server.requests.filter(({ query }) => query['alt'] === 'media');
    expect(asked.map(({ query }) => query['generation'])).toEqual([etag, etag]);
    expect(server.pendingFaults()).toBe(0);
  });

  it.each([
    ['the whole object', { status: 200, body: '0123456789' }],
    ['another range', { status: 206, headers: { 'content-range': 'bytes 0-2/10' }, body: '012' }],
  ])('says that a range was ignored when %s is served', async (_, answer) => {
    const server = await startServer();
    const store = await storeOf(server);
    await store.put('a', bodyOf('0123456789'));
    server.fail(MEDIA, [answer]);

    expect(await failure(store.open('a', { range: { start: 1, end: 3 } }))).toMatchObject({
      code: 'RANGE_IGNORED',
      key: 'a',
    });
  });

  it('gives what is stored compressed as it is stored, also a range of it', async () => {
    const server = await startServer();
    const store = await storeOf(server);
    const compressed = gzipSync('a text that is longer before than after '.repeat(10));
    server.put('films', 'page', compressed, { contentType: 'text/html', contentEncoding: 'gzip' });

    const { body, size } = await store.open('page');
    const part = await store.open('page', { range: { start: 2, end: 8 } });

    expect(size).toBe(compressed.byteLength);
    expect((await buffer(body)).equals(compressed)).toBe(true);
    expect((await buffer(part.body)).equals(compressed.subarray(2, 9))).toBe(true);
    const media = server.requests.filter(({ query }) => query['alt'] === 'media');
    expect(media.map(({ headers }) => headers['accept-encoding'])).toEqual(['gzip', 'gzip']);
  });

  it('asks for the bytes as they are where nothing is compressed', async () => {
    const server = await startServer();
    const store = await storeOf(server);
    await store.put('a', bodyOf('bytes'));

    await read(store, 'a');

    expect(server.requests.at(-1)?.headers['accept-encoding']).toBe('identity');
  });

  it('errors instead of ending short when the connection breaks', async () => {
    const server = await startServer();
    const store = await storeOf(server);
    server.put('films', 'a', Buffer.alloc(MiB, 'bytes'));
    server.fail(MEDIA, ['cut']);

    const { body } = await store.open('a');

    expect(await failure(buffer(body))).toMatchObject({ code: 'NETWORK', operation: 'open', key: 'a' });
  });

  it('gives up on an answer that does not begin, and on bodies that stop', async () => {
    const server = await startServer();
    const proxy = await startFaultProxy({ host: '127.0.0.1', port: server.port });
    server.put('films', 'a', Buffer.alloc(4 * MiB, 'bytes'));
    const store = await storeOf(server, { endpoint: proxy.url(''), idleTimeoutMs: 200 });
    server.fail(MEDIA, ['stall']);

    expect(await failure(store.open('a'))).toMatchObject({ code: 'STALLED' });
    await store.head('a');
    proxy.inject({ stallAfterBytes: 100_000 }, 1);
    const { body } = await store.open('a');
    expect(await failure(buffer(body))).toMatchObject({ code: 'STALLED', operation: 'open' });
    proxy.cutAll();
    proxy.inject({ stallAfterBytes: 100 }, 1);
    expect(await failure(store.head('a'))).toMatchObject({ code: 'STALLED', operation: 'head' });

    await proxy.close();
  });

  it('waits for a reader who pauses longer than the store may be silent', async () => {
    const server = await startServer();
    const store = await storeOf(server, { idleTimeoutMs: 100 });
    const bytes = Buffer.alloc(16 * MiB, 'more than any socket holds');
    server.put('films', 'a', bytes);

    const { body } = await store.open('a');
    await once(body, 'readable');
    await sleep(400);

    expect((await buffer(body)).equals(bytes)).toBe(true);
  });

  it('closes the connection when its body is destroyed, and when its signal aborts', async () => {
    const server = await startServer();
    const proxy = await startFaultProxy({ host: '127.0.0.1', port: server.port });
    const store = await storeOf(server, { endpoint: proxy.url('') });
    server.put('films', 'a', Buffer.alloc(4 * MiB, 'bytes'));
    proxy.inject({ bytesPerSecond: MiB });
    const controller = new AbortController();

    const left = await store.open('a');
    const aborted = await store.open('a', { signal: controller.signal });
    left.body.destroy();
    const error = failure(buffer(aborted.body));
    controller.abort();

    expect(await error).toMatchObject({ code: 'ABORTED' });
    const { bytesPassed } = proxy;
    await sleep(300);
    // what goes on would pass 300 KiB on in this time
    expect(proxy.bytesPassed - bytesPassed).toBeLessThan(150_000);
    await proxy.close();
  });

  it('keeps nothing of a caller whose signal lives long', async () => {
    const server = await startServer();
    const store = await storeOf(server);
    await store.put('a', bodyOf('bytes'));
    const { signal } = new AbortController();
    let listeners = 0;
    const add = signal.addEventListener.bind(signal);
    const remove = signal.removeEventListener.bind(signal);
    signal.addEventListener = (...given: Parameters<typeof add>) => void ((listeners += 1), add(...given));
    signal.removeEventListener = (...given: Parameters<typeof remove>) => void ((listeners -= 1), remove(...given));

    server.fail('GET', ['cut']);
    for (let time = 0; time < 20; time += 1) {
      await store.head('a', { signal });
      const { body } = await store.open('a', { signal });
      body.destroy();
      await once(body, 'close');
    }

    expect(listeners).toBe(0);
  });
});

describe('calls', () => {
  it.each([['503'], ['a reset'], ['a lost answer']])('are repeated after %s', async (what) => {
    const server = await startServer();
    const store = await storeOf(server);
    await store.put('a', bodyOf('bytes'));
    const fault = { '503': 503, 'a reset': 'reset', 'a lost answer': 'lose-answer' } as const;
    server.fail('GET /storage/v1/b/films/o/a', [fault[what as keyof typeof fault]]);

    expect((await store.head('a')).size).toBe(5);
    expect(server.pendingFaults()).toBe(0);
  });

  it('do not delete twice what somebody may have stored anew, unless the version is named', async () => {
    const server = await startServer();
    const store = await storeOf(server);
    const { etag = '' } = await store.put('a', bodyOf('bytes'));
    server.fail('DELETE', [503]);
    expect(await failure(store.delete('a'))).toMatchObject({ code: 'UNAVAILABLE', operation: 'delete' });
    server.fail('DELETE', [503]);

    await store.delete('a', { ifMatch: etag });

    expect(await keysOf(store)).toEqual([]);
  });

  it('that delete say that it may be done when the answer is lost', async () => {
    const server = await startServer();
    const store = await storeOf(server);
    await store.put('a', bodyOf('bytes'));
    server.fail('DELETE', ['lose-answer']);

    const error = await failure(store.delete('a'));

    expect(error).toMatchObject({ code: 'NETWORK', committed: 'unknown' });
    expect(error.message).toContain('may be deleted all the same');
    expect(await keysOf(store)).toEqual([]);
  });

  it('delete a version of what is not there, also when Google complains of the condition', async () => {
    const server = await startServer();
    const store = await storeOf(server);
    server.fail('DELETE', [412]);

    await store.delete('a', { ifMatch: '123' });

    expect(server.pendingFaults()).toBe(0);
  });

  it('refuse a version that can be none without asking', async () => {
    const server = await startServer();
    const store = await storeOf(server);
    await store.put('a', bodyOf('bytes'));

    expect(await failure(store.delete('a', { ifMatch: '"abc"' }))).toMatchObject({ code: 'PRECONDITION_FAILED' });
    expect(await failure(store.open('a', { ifMatch: '"abc"' }))).toMatchObject({ code: 'PRECONDITION_FAILED' });
    expect(await keysOf(store)).toEqual(['a']);
  });

  it('list 2,500 objects, page by page', async () => {
    const server = await startServer();
    for (let n = 0; n < 2500; n += 1) server.put('films', `films/${n}.mp4`, Buffer.from('x'));
    const store = await storeOf(server);

    const keys = await keysOf(store, 'films/');

    expect(new Set(keys).size).toBe(2500);
    expect(server.requests.filter(({ path }) => path.endsWith('/o'))).toHaveLength(3);
  });

  it('leave out what the console stores to show folders', async () => {
    const server = await startServer();
    const store = await storeOf(server);
    server.put('films', 'films/', Buffer.alloc(0));
    await store.put('films/1.mp4', bodyOf('bytes'));

    expect(await keysOf(store)).toEqual(['films/1.mp4']);
  });

  it('stay below the prefix, which nobody sees', async () => {
    const server = await startServer();
    const store = await storeOf(server, { prefix: 'archive/2026/' });
    server.put('films', 'a', Buffer.from('not ours'));
    server.put('films', 'archive/2026b', Buffer.from('not ours'));
    server.put('films', 'somewhere/else/entirely', Buffer.from('not ours'));

    const stored = await store.put('a', bodyOf('ours'));
    await store.put('b', bodyOf('ours'));
    await store.delete('b');

    expect([stored.key, (await store.head('a')).key, (await store.open('a')).key]).toEqual(['a', 'a', 'a']);
    expect((await read(store, 'a')).toString()).toBe('ours');
    expect(await keysOf(store)).toEqual(['a']);
    expect(store.locate('a')).toBe('gs://films/archive/2026/a');
    expect(await (await fetch((await store.resolveUrl('a')).url)).text()).toBe('ours');
    expect(server.objects('films').map(({ name }) => name)).toEqual([
      'a',
      'archive/2026b',
      'somewhere/else/entirely',
      'archive/2026/a',
    ]);
    expect(await failure(store.head(`${'k'.repeat(250)}/`.repeat(4).concat('k'.repeat(15))))).toMatchObject({
      code: 'INVALID_KEY',
    });
  });

  it('of two stores share nothing, not even a connection', async () => {
    const [one, other] = [await startServer(), await startServer({ buckets: { others: {} } })];
    const first = await storeOf(one);
    const second = await storeOf(other, { bucket: 'others' });
    await first.put('a', bodyOf('first'));
    await second.put('a', bodyOf('second'));

    await first.close();

    expect((await read(second, 'a')).toString()).toBe('second');
    expect(one.objects('films').map(({ bytes }) => Buffer.from(bytes).toString())).toEqual(['first']);
    expect(first.native()).not.toBe(second.native());
  });

  it('leave no connection open behind close', async () => {
    const server = await startServer();
    const proxy = await startFaultProxy({ host: '127.0.0.1', port: server.port });
    const store = await storeOf(server, { endpoint: proxy.url('') });
    server.put('films', 'a', Buffer.alloc(4 * MiB, 'bytes'));
    proxy.inject({ bytesPerSecond: MiB });
    const { body } = await store.open('a');
    const cut = failure(buffer(body));

    await store.close();

    expect(await cut).toMatchObject({ code: 'NETWORK' });
    await proxy.close();
  });
});
