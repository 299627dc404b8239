import { createServer, get, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from '@jest/globals';
import { serveObject, type ServeOptions } from '../src/http/index.ts';
import { StorageError } from '../src/index.ts';
import { MapStore } from './map-store.ts';

const MiB = 1024 ** 2;
const servers: Server[] = [];

afterEach(async () => {
  for (const server of servers.splice(0)) {
    await new Promise((resolve) => {
      server.close(resolve);
      server.closeAllConnections();
    });
  }
});

/** A server of one store: the path is the key. What serveObject rejects with goes to `thrown`. */
async function serve(store: MapStore, options: ServeOptions = {}) {
  const thrown: unknown[] = [];
  let served = 0;
  const server = createServer((request, response) => {
    serveObject(store, decodeURIComponent((request.url ?? '').slice(1)), request, response, options)
      .catch((error: unknown) => {
        thrown.push(error);
        if (!response.headersSent) response.writeHead(500).end();
      })
      .finally(() => (served += 1));
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { origin, server, thrown, served: () => served };
}

async function scene(bytes: Buffer | string = '0123456789') {
  const store = new MapStore('map');
  store.objects.set('scene.mp4', {
    bytes: Buffer.from(bytes),
    info: {
      etag: 'v1',
      contentType: 'video/mp4',
      cacheControl: 'max-age=60',
      lastModified: new Date('2026-11-22T10:00:00Z'),
    },
  });
  const { origin, ...rest } = await serve(store);
  return { store, url: `${origin}/scene.mp4`, origin, ...rest };
}

async function until(condition: () => boolean): Promise<void> {
  for (const end = Date.now() + 3000; !condition() && Date.now() < end;) await sleep(5);
  expect(condition()).toBe(true);
}

/** Requests, and leaves once the first bytes are there. */
async function leaveEarly(url: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const request = get(url, { agent: false }, (response: IncomingMessage) => {
      response.once('data', () => {
        request.destroy();
        resolve();
      });
    });
    request.once('error', reject);
  });
}

describe('GET', () => {
  it('answers with the whole object and all that is known about it', async () => {
    const { url } = await scene();

    const response = await fetch(url);

    expect(response.status).toBe(200);
    expect(await response.text()).toBe('0123456789');
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'accept-ranges': 'bytes',
      'cache-control': 'max-age=60',
      'content-disposition': 'inline',
      'content-length': '10',
      'content-type': 'video/mp4',
      etag: '"v1"',
      'last-modified': 'Sun, 22 Nov 2026 10:00:00 GMT',
      'x-content-type-options': 'nosniff',
    });
  });

  it('answers with bytes nobody may guess at when the store knows no type', async () => {
    const store = new MapStore('map');
    store.objects.set('x', { bytes: Buffer.from('<script>') });
    const { origin } = await serve(store, { contentDisposition: 'attachment; filename="x"' });

    const { headers } = await fetch(`${origin}/x`);

    expect(headers.get('content-type')).toBe('application/octet-stream');
    expect(headers.get('content-disposition')).toBe('attachment; filename="x"');
    expect(headers.get('etag')).toBeNull();
    // it may change: nobody may keep it without asking
    expect(headers.get('cache-control')).toBe('no-cache');
  });

  it.each([
    { range: 'bytes=0-0', status: 206, text: '0', contentRange: 'bytes 0-0/10' },
    { range: 'bytes=2-4', status: 206, text: '234', contentRange: 'bytes 2-4/10' },
    { range: 'bytes=7-', status: 206, text: '789', contentRange: 'bytes 7-9/10' },
    { range: 'bytes=-2', status: 206, text: '89', contentRange: 'bytes 8-9/10' },
    { range: 'bytes=5-99', status: 206, text: '56789', contentRange: 'bytes 5-9/10' },
    { range: 'bytes=10-', status: 416, text: '', contentRange: 'bytes */10' },
    { range: 'bytes=-0', status: 416, text: '', contentRange: 'bytes */10' },
    { range: 'bytes=0-1,3-4', status: 200, text: '0123456789', contentRange: null },
    { range: 'pages=1-2', status: 200, text: '0123456789', contentRange: null },
  ])('of $range is answered with $status', async ({ range, status, text, contentRange }) => {
    const { url } = await scene();

    const response = await fetch(url, { headers: { range } });

    expect(response.status).toBe(status);
    expect(await response.text()).toBe(text);
    expect(response.headers.get('content-range')).toBe(contentRange);
    if (status !== 416) expect(response.headers.get('content-length')).toBe(String(text.length));
  });

  it.each([
    { validator: '"v1"', status: 206 },
    { validator: '"v0"', status: 200 },
    { validator: 'v1', status: 200 },
    { validator: 'W/"v1"', status: 200 },
    { validator: 'Sun, 22 Nov 2026 10:00:00 GMT', status: 200 },
  ])('of a range with If-Range $validator is answered with $status', async ({ validator, status }) => {
    const { url } = await scene();

    const response = await fetch(url, { headers: { range: 'bytes=0-1', 'if-range': validator } });

    expect(response.status).toBe(status);
    expect(await response.text()).toBe(status === 206 ? '01' : '0123456789');
  });

  it.each([
    { validator: '"v1"', status: 304, text: '' },
    { validator: 'W/"v1"', status: 304, text: '' },
    { validator: '"v0", "v1"', status: 304, text: '' },
    { validator: '"a,b",W/"v1"', status: 304, text: '' },
    { validator: '*', status: 304, text: '' },
    { validator: '"v0"', status: 200, text: '0123456789' },
    { validator: '"v0", "v2"', status: 200, text: '0123456789' },
  ])('with If-None-Match $validator is answered with $status', async ({ validator, status, text }) => {
    const { url } = await scene();

    const response = await fetch(url, { headers: { 'if-none-match': validator } });

    expect(response.status).toBe(status);
    expect(await response.text()).toBe(text);
    expect(response.headers.get('etag')).toBe('"v1"');
  });

  it('of an empty object is answered with nothing, and no range of it is', async () => {
    const { url, store } = await scene('');

    const whole = await fetch(url);
    const range = await fetch(url, { headers: { range: 'bytes=0-' } });

    expect([whole.status, whole.headers.get('content-length'), await whole.text()]).toEqual([200, '0', '']);
    expect([range.status, range.headers.get('content-range')]).toEqual([416, 'bytes */0']);
    expect(store.bodies.size).toBe(0);
  });

  it('of a range is answered with the whole object by a store that has no ranges', async () => {
    const { url, store } = await scene();
    store.capabilities = { ...store.capabilities, range: false };

    const response = await fetch(url, { headers: { range: 'bytes=2-4' } });

    expect(response.status).toBe(200);
    expect(response.headers.get('accept-ranges')).toBe('none');
    expect(await response.text()).toBe('0123456789');
  });

  it('gives the client the whole of a large object, however slowly it reads', async () => {
    const bytes = Buffer.alloc(8 * MiB, 'film');
    const { url, store, thrown } = await scene(bytes);

    const received: Uint8Array[] = [];
    for await (const chunk of (await fetch(url)).body ?? []) {
      received.push(chunk as Uint8Array);
      if (received.length % 20 === 0) await sleep(1);
    }

    expect(Buffer.concat(received).equals(bytes)).toBe(true);
    expect(thrown).toEqual([]);
    await until(() => store.bodies.size === 0);
  });
});

describe('HEAD', () => {
  it('is answered like GET, without opening the object', async () => {
    const { url, store } = await scene();
    store.open = () => Promise.reject(new Error('opened'));

    const response = await fetch(url, { method: 'HEAD' });

    expect(response.status).toBe(200);
    expect(response.headers.get('content-length')).toBe('10');
    expect(response.headers.get('content-type')).toBe('video/mp4');
    expect(await response.text()).toBe('');
  });

  it.each(['bytes=0-1', 'bytes=99-'])('is that of the whole object, with Range %s too', async (range) => {
    const { url } = await scene();

    const { status, headers } = await fetch(url, { method: 'HEAD', headers: { range } });

    expect([status, headers.get('content-length'), headers.get('content-range')]).toEqual([200, '10', null]);
  });
});

describe('a failing store', () => {
  it('rejects before anything was sent, so that the host can still answer', async () => {
    const { url, store, thrown, origin } = await scene();

    expect((await fetch(`${origin}/none`)).status).toBe(500);
    store.open = () => Promise.reject(new StorageError('UNAVAILABLE', 'x'));
    expect((await fetch(url)).status).toBe(500);

    expect(thrown).toMatchObject([{ code: 'NOT_FOUND' }, { code: 'UNAVAILABLE' }]);
  });

  it('cuts the connection in mid-body, so that the client does not take the part for the whole, and is told of', async () => {
    const { url, store, thrown } = await scene(Buffer.alloc(MiB));
    const failure = new StorageError('NETWORK', 'the store broke');
    store.bodyOf = (bytes) =>
      Readable.from(
        (async function* () {
          yield bytes.subarray(0, 100_000);
          await sleep(10);
          throw failure;
        })(),
        { objectMode: false },
      );

    const response = await fetch(url);

    expect(response.status).toBe(200);
    await expect(response.arrayBuffer()).rejects.toThrow('terminated');
    await until(() => thrown.length === 1 && store.bodies.size === 0);
    expect(thrown).toEqual([failure]);
  });

  it('is let go of when its description cannot be sent', async () => {
    const { url, store, thrown } = await scene();
    store.objects.set('scene.mp4', { bytes: Buffer.from('x'), info: { contentType: 'video/mp4\r\nx-evil: 1' } });

    expect((await fetch(url)).status).toBe(500);

    expect(thrown).toHaveLength(1);
    await until(() => store.bodies.size === 0);
  });
});

describe('a client that leaves', () => {
  it('in mid-body closes the stream of the store, and is no error', async () => {
    const { url, store, thrown, served } = await scene(Buffer.alloc(16 * MiB));

    await leaveEarly(url);

    await until(() => served() === 1 && store.bodies.size === 0);
    expect(thrown).toEqual([]);
  });

  it('200 times leaves no stream and no connection behind', async () => {
    const { url, store, thrown, served, server } = await scene(Buffer.alloc(16 * MiB));

    for (let n = 0; n < 10; n += 1) await Promise.all(Array.from({ length: 20 }, () => leaveEarly(url)));

    await until(() => served() === 200 && store.bodies.size === 0);
    expect(thrown).toEqual([]);
    expect(await new Promise((resolve) => server.getConnections((_, count) => resolve(count)))).toBe(0);
  });

  it('while the store is still looking aborts that, and is no error', async () => {
    const { url, store, thrown, served } = await scene();
    const aborted: string[] = [];
    let asked = 0;
    const hang = (name: string) => (_key: string, options?: { signal?: AbortSignal }) => {
      asked += 1;
      return new Promise<never>((_, reject) => {
        options?.signal?.addEventListener('abort', () => {
          aborted.push(name);
          reject(new StorageError('ABORTED', 'x'));
        });
      });
    };
    const leave = async (): Promise<void> => {
      const abort = new AbortController();
      const request = fetch(url, { signal: abort.signal });
      const before = asked;
      await until(() => asked > before);
      abort.abort();
      await expect(request).rejects.toThrow('abort');
    };

    store.open = hang('open');
    await leave();
    await until(() => served() === 1);
    store.head = hang('head');
    await leave();

    await until(() => served() === 2);
    expect(aborted).toEqual(['open', 'head']);
    expect(thrown).toEqual([]);
  });

  it('while a store that heeds no signal opens the object leaves no stream behind', async () => {
    const { url, store, thrown, served } = await scene(Buffer.alloc(MiB));
    const open = store.open.bind(store);
    let opening = false;
    store.open = async (key) => {
      opening = true;
      await sleep(50);
      return open(key);
    };
    const abort = new AbortController();

    const request = fetch(url, { signal: abort.signal });
    await until(() => opening);
    abort.abort();

    await expect(request).rejects.toThrow('abort');
    await until(() => served() === 1 && store.bodies.size === 0);
    expect(thrown).toEqual([]);
  });

  it('before the store was asked leaves nothing behind', async () => {
    const store = new MapStore('map');
    store.objects.set('scene.mp4', { bytes: Buffer.alloc(MiB) });
    let outcome: unknown;
    const server = createServer((request, response) => {
      response.once('close', () => {
        serveObject(store, 'scene.mp4', request, response).then(
          () => (outcome = 'resolved'),
          (error: unknown) => (outcome = error),
        );
      });
      request.socket.destroy();
    });
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));

    await expect(fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`)).rejects.toThrow();

    await until(() => outcome !== undefined);
    expect(outcome).toBe('resolved');
    expect(store.bodies.size).toBe(0);
  });
});
