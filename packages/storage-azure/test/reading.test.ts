import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { buffer } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { SASProtocol } from '@azure/storage-blob';
import { describe, expect, it } from '@jest/globals';
import { sasFor, useAzurite } from './azurite.ts';
import { bodyOf, keysOf, KiB, MiB, read, text } from './bodies.ts';

const azurite = useAzurite();

describe('a body', () => {
  it('that breaks off is an error, and is not continued with another answer', async () => {
    const { proxy, store } = await azurite.proxied();
    await store.put('a', bodyOf(randomBytes(500 * KiB)));
    proxy.treat(({ kind }) => (kind === 'get' ? { cutAfter: 100 * KiB } : undefined));

    const { body, size } = await store.open('a');

    expect(size).toBe(500 * KiB);
    await expect(buffer(body)).rejects.toMatchObject({ code: 'NETWORK', storage: 'az', operation: 'open', key: 'a' });
    expect(proxy.kinds().filter((kind) => kind === 'get')).toEqual(['get']);
  });

  it('that stops coming is an error once the server has been silent for too long', async () => {
    const { proxy, store, container } = await azurite.proxied({ idleTimeoutMs: 300 });
    await container.getBlockBlobClient('a').upload(randomBytes(500 * KiB), 500 * KiB);
    proxy.treat(({ kind }) => (kind === 'get' ? { stallAfter: 100 * KiB } : undefined));

    const { body } = await store.open('a');

    await expect(buffer(body)).rejects.toMatchObject({ code: 'STALLED', storage: 'az' });
  });

  it('whose reading is aborted says so', async () => {
    const { proxy, store } = await azurite.proxied();
    await store.put('a', bodyOf(randomBytes(500 * KiB)));
    proxy.treat(({ kind }) => (kind === 'get' ? { stallAfter: 100 * KiB } : undefined));
    const abort = new AbortController();

    const { body } = await store.open('a', { signal: abort.signal });
    setTimeout(() => abort.abort(), 100);

    await expect(buffer(body)).rejects.toMatchObject({ code: 'ABORTED', scope: 'local' });
  });

  it('may be read as slowly as one likes', async () => {
    const { store, container } = await azurite.proxied({ idleTimeoutMs: 300 });
    const bytes = randomBytes(12 * MiB);
    await container.getBlockBlobClient('a').upload(bytes, bytes.byteLength);

    const { body } = await store.open('a');
    await once(body, 'readable');
    await sleep(1000);

    expect((await buffer(body)).equals(bytes)).toBe(true);
  });

  it('closes its connection when it is destroyed', async () => {
    const { proxy, store, container } = await azurite.proxied();
    await container.getBlockBlobClient('a').upload(randomBytes(12 * MiB), 12 * MiB);
    await Promise.all([
      store.head('a'),
      store.open('a', { range: { start: 0, end: 0 } }).then(({ body }) => buffer(body)),
    ]);
    const before = await proxy.openConnections();

    const { body } = await store.open('a');
    await once(body, 'readable');
    body.destroy();
    await sleep(100);

    expect(await proxy.openConnections()).toBeLessThan(before);
  });

  it('of a suffix is of the version whose end was looked for', async () => {
    const { proxy, store, container } = await azurite.proxied();
    await store.put('a', text('the old one'));
    const replace = () => container.getBlockBlobClient('a').upload('a newer and longer one', 22);
    proxy.treat(({ kind }) => (kind === 'get' ? { before: replace } : undefined));

    await expect(store.open('a', { range: { suffix: 3 } })).rejects.toMatchObject({ code: 'PRECONDITION_FAILED' });
  });

  it('of a range says the MD5 of the whole object', async () => {
    const store = await azurite.store();
    const { checksums } = await store.put('a', text('bytes'));

    const opened = await store.open('a', { range: { start: 1, end: 2 } });

    expect(opened.checksums).toEqual(checksums);
    expect((await buffer(opened.body)).toString()).toBe('yt');
  });

  it('that is not the range that was asked for is refused', async () => {
    const { proxy, container } = await azurite.proxied();
    // a SAS token signs no header: so the proxy may lose one
    const credential = sasFor(azurite.server(), container.containerName, 'rw');
    const store = await azurite.store({ accountUrl: proxy.endpoint, container: container.containerName, credential });
    await store.put('a', text('0123456789'));
    proxy.treat(({ kind }) => (kind === 'get' ? { withoutHeader: 'x-ms-range' } : undefined));

    for (const range of [{ start: 2, end: 3 }, { start: 1 }, { suffix: 2 }]) {
      await expect(store.open('a', { range })).rejects.toMatchObject({ code: 'RANGE_IGNORED', storage: 'az' });
    }
  });

  it('of a range that no object has is refused before anything is asked', async () => {
    const { proxy, store } = await azurite.proxied();

    for (const range of [{ start: 3, end: 2 }, { start: -1 }, { start: 0.5 }]) {
      await expect(store.open('a', { range })).rejects.toMatchObject({ code: 'RANGE_NOT_SATISFIABLE' });
    }
    expect(proxy.seen).toEqual([]);
  });
});

it('reads what other programs have written, without a checksum where there is none', async () => {
  const { store, container } = await azurite.proxied();
  const blob = container.getBlockBlobClient('theirs');
  const id = Buffer.from('x').toString('base64');
  await blob.stageBlock(id, 'abc', 3);
  await blob.commitBlockList([id], { metadata: { Some_Name: 'x' } });

  const info = await store.head('theirs');

  expect(info).toMatchObject({ size: 3, checksums: {}, metadata: { 'some-name': 'x' } });
  expect((await read(store, 'theirs')).toString()).toBe('abc');
});

it('leaves out of a list what other programs store to show folders', async () => {
  const { container } = await azurite.proxied();
  const store = await azurite.store({ container: container.containerName, prefix: 'films' });
  for (const name of ['films/', 'films/f1/', 'films/f1//a']) await container.getBlockBlobClient(name).upload('', 0);
  await store.put('f1/a.mp4', text('bytes'));

  expect(await keysOf(store)).toEqual(['f1/a.mp4']);
});

it('gives the same version of an object wherever it is asked for', async () => {
  const store = await azurite.store();
  const { etag, lastModified } = await store.put('a', text('bytes'));

  const head = await store.head('a');
  const { body, ...opened } = await store.open('a');
  body.destroy();

  for (const info of [head, opened]) expect(info).toMatchObject({ etag, lastModified });
  for await (const listed of store.list('')) expect(listed).toEqual(head);
});

it('gives a silent server up after the idle time, and does not ask again', async () => {
  const { proxy, store } = await azurite.proxied({ idleTimeoutMs: 200 });
  proxy.treat(() => ({ silence: true }));

  const began = Date.now();
  await expect(store.head('a')).rejects.toMatchObject({ code: 'STALLED', retry: 'safe' });
  await expect(store.put('a', text('bytes'))).rejects.toMatchObject({ code: 'STALLED', committed: 'unknown' });

  expect(Date.now() - began).toBeLessThan(2000);
  expect(proxy.kinds()).toEqual(['head', 'put']);
});

it('settles at once when it is aborted while the server is silent, whatever was called', async () => {
  const { proxy, store } = await azurite.proxied();
  proxy.treat(() => ({ silence: true }));
  const calls: ((options: { signal: AbortSignal }) => Promise<unknown>)[] = [
    (options) => store.head('a', options),
    (options) => store.open('a', options),
    (options) => store.open('a', { ...options, range: { suffix: 1 } }),
    (options) => store.delete('a', options),
    (options) => store.list('', options).next(),
    (options) => store.sweepIncomplete(new Date(), options),
    (options) => store.put('a', text('bytes'), options),
  ];

  for (const call of calls) {
    const abort = new AbortController();
    const outcome = call({ signal: abort.signal });
    setTimeout(() => abort.abort(), 20);
    const began = Date.now();
    await expect(outcome).rejects.toMatchObject({ code: 'ABORTED', scope: 'local', storage: 'az' });
    expect(Date.now() - began).toBeLessThan(500);
  }
});

it('lists 2,500 keys page by page, each once', async () => {
  const { proxy, container } = await azurite.proxied();
  const keys = Array.from({ length: 2500 }, (_, n) => `films/${String(n).padStart(4, '0')}`);
  const left = [...keys];
  const write = async (): Promise<void> => {
    for (let key = left.pop(); key !== undefined; key = left.pop())
      await container.getBlockBlobClient(key).upload('', 0);
  };
  await Promise.all(Array.from({ length: 24 }, write));
  // a SAS token signs no query: so the proxy may ask for smaller pages than the 5,000 that Azure gives
  const credential = sasFor(azurite.server(), container.containerName, 'rl', { protocol: SASProtocol.HttpsAndHttp });
  const store = await azurite.store({ accountUrl: proxy.endpoint, container: container.containerName, credential });
  proxy.treat(({ kind }) => (kind === 'list' ? { addToQuery: 'maxresults=1000' } : undefined));

  expect(await keysOf(store)).toEqual(keys);
  expect(proxy.kinds()).toEqual(['list', 'list', 'list']);
}, 60_000);
