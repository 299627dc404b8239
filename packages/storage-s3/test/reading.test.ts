import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startFaultProxy } from '@paradoxon/storage-testing';
import type { StorageError } from '@paradoxon/storage';
import type { S3Storage, S3StorageOptions } from '../src/index.ts';
import { bodyOf, read, someBytes } from './bodies.ts';
import { fauxqs, MiB, type TestServer } from './servers.ts';

let server: TestServer;
beforeAll(async () => {
  server = await fauxqs();
}, 60_000);
afterAll(() => server.stop());

const servers: Server[] = [];
afterAll(() => {
  for (const one of servers) one.close().closeAllConnections();
});

/** A store on a server that answers like this. */
async function storeOn(listener: RequestListener, options: Partial<S3StorageOptions> = {}): Promise<S3Storage> {
  const one = createServer(listener).listen(0, '127.0.0.1');
  servers.push(one);
  await once(one, 'listening');
  const { port } = one.address() as AddressInfo;
  return server.store({ bucket: 'films', endpoint: `http://127.0.0.1:${port}`, ...options });
}

const HEAD = { etag: '"1"', 'content-length': '10' };

describe('a range', () => {
  it.each([
    { title: 'with the whole object', status: 200, headers: { 'content-length': '10' }, body: '0123456789' },
    { title: 'with another range', status: 206, headers: { 'content-range': 'bytes 2-4/10' }, body: '234' },
    { title: 'without saying which', status: 206, headers: {}, body: '123' },
  ])('that is answered $title is RANGE_IGNORED', async ({ status, headers, body }) => {
    const store = await storeOn((_request, response) => response.writeHead(status, { ...headers }).end(body));

    await expect(store.open('film', { range: { start: 1, end: 3 } })).rejects.toMatchObject({ code: 'RANGE_IGNORED' });
  });

  it('that is ignored has its connection closed: nobody reads what comes', async () => {
    let closed = false;
    const store = await storeOn((_request, response) => {
      response.once('close', () => (closed = true));
      response.writeHead(200, HEAD).write('0');
    });

    await expect(store.open('film', { range: { start: 1 } })).rejects.toMatchObject({ code: 'RANGE_IGNORED' });

    for (const end = Date.now() + 2000; Date.now() < end && !closed;) await sleep(10);
    expect(closed).toBe(true);
  });

  it('that ends before it starts is refused without asking', async () => {
    const store = await storeOn((_request, response) => response.writeHead(200, HEAD).end('0123456789'));

    await expect(store.open('film', { range: { start: 5, end: 3 } })).rejects.toMatchObject({
      code: 'RANGE_NOT_SATISFIABLE',
    });
  });
});

describe('a refusal', () => {
  it('that stops in its middle is not waited for without end', async () => {
    const store = await storeOn(
      (_request, response) => {
        response.writeHead(403, { 'content-type': 'application/xml', 'content-length': '500' }).write('<Error><Code>');
      },
      { idleTimeoutMs: 100 },
    );

    await expect(store.open('film')).rejects.toMatchObject({ code: 'PERMISSION_DENIED', httpStatus: 403 });
  });
});

describe('a body', () => {
  it('is verified by whoever reads it: the SDK, which does so slowly, is not asked to', async () => {
    const sums = { 'x-amz-checksum-crc32c': 'AAAAAA==', 'x-amz-checksum-type': 'FULL_OBJECT' };
    const store = await storeOn(
      (_request, response) => response.writeHead(200, { ...HEAD, ...sums }).end('0123456789'),
      {
        requestChecksumCalculation: 'WHEN_SUPPORTED',
      },
    );

    const { body, checksums } = await store.open('film');

    expect(checksums).toEqual({ crc32c: '00000000' });
    expect((await buffer(body)).toString()).toBe('0123456789');
  });

  it('that ends short is an error, whatever it said', async () => {
    const store = await storeOn((_request, response) => {
      response.writeHead(200, HEAD).write('01234');
      setTimeout(() => response.destroy(), 20);
    });

    const reading = read(store, 'film');

    await expect(reading).rejects.toMatchObject({ code: 'NETWORK', storage: 's3', operation: 'open', key: 'film' });
  });

  it('that stops coming is STALLED, and one that nobody reads is not', async () => {
    const rest = '0'.repeat(4 * MiB);
    const store = await storeOn(
      (request, response) => {
        response.writeHead(200, { etag: '"1"', 'content-length': String(rest.length) });
        if (request.url?.includes('stalls')) response.write('01234');
        else response.end(rest);
      },
      { idleTimeoutMs: 150 },
    );

    const paused = await store.open('paused');
    const stalled = buffer((await store.open('stalls')).body);
    await expect(stalled).rejects.toMatchObject({ code: 'STALLED', retry: 'safe' });
    // longer than the idle time: a viewer who pauses
    await sleep(400);

    expect((await buffer(paused.body)).byteLength).toBe(rest.length);
  });

  it('and a write may rest longer than a server keeps idle connections, also on a connection that is used again', async () => {
    const bytes = '0'.repeat(4 * MiB);
    const store = await storeOn((request, response) => {
      // Node's client takes "timeout=2" of a Keep-Alive header for the time-out of the connection
      response.setHeader('keep-alive', 'timeout=2');
      response.setHeader('etag', '"1"');
      if (request.method === 'GET') return response.end(bytes);
      request.resume().on('end', () => {
        if (request.method === 'HEAD') response.setHeader('content-length', '5');
        setTimeout(() => response.end(), request.url?.includes('slow') ? 2500 : 0);
      });
      return undefined;
    });
    await store.put('first', bodyOf('bytes'));
    await read(store, 'first');

    const paused = await store.open('second');
    await store.put('slow', bodyOf('bytes'));

    expect((await buffer(paused.body)).byteLength).toBe(bytes.length);
  }, 15_000);

  it('that is destroyed closes its connection', async () => {
    const proxy = await startFaultProxy({ host: '127.0.0.1', port: server.emulator.port });
    const store = await server.store({ endpoint: proxy.url('') });
    await store.put('film', bodyOf(someBytes(10 * MiB)));
    const passed = proxy.bytesPassed;

    for (let n = 0; n < 20; n += 1) {
      const { body } = await store.open('film');
      await once(body, 'readable');
      body.destroy();
    }
    await sleep(50);

    // far from 200 MiB, and the pool still has room
    expect(proxy.bytesPassed - passed).toBeLessThan(120 * MiB);
    expect((await read(store, 'film')).byteLength).toBe(10 * MiB);
    await store.close();
    await proxy.close();
  });

  it('that breaks off is not continued behind our back with another version', async () => {
    const proxy = await startFaultProxy({ host: '127.0.0.1', port: server.emulator.port });
    const bucket = await server.bucket();
    const store = await server.store({ bucket, endpoint: proxy.url('') });
    await (await server.store({ bucket })).put('film', bodyOf(someBytes(2 * MiB)));
    proxy.inject({ resetAfterBytes: MiB }, 1);

    await expect(read(store, 'film')).rejects.toMatchObject({ code: 'NETWORK', retry: 'safe' });

    expect(proxy.connections).toBe(1);
    await store.close();
    await proxy.close();
  });
});

describe('a store that is closed', () => {
  it('has no open connection left', async () => {
    const open = new Set<unknown>();
    const one = createServer((_request, response) => response.writeHead(200, HEAD).end());
    one.on('connection', (socket) => {
      open.add(socket);
      socket.once('close', () => open.delete(socket));
    });
    servers.push(one.listen(0, '127.0.0.1'));
    await once(one, 'listening');
    const { port } = one.address() as AddressInfo;
    const store = await server.store({ bucket: 'films', endpoint: `http://127.0.0.1:${port}` });
    await Promise.all([store.head('a'), store.head('b')]);
    expect(open.size).toBe(2);

    await store.close();

    await sleep(50);
    expect(open.size).toBe(0);
  });

  it('gives up what is under way, and does not try it again', async () => {
    let asked = 0;
    const store = await storeOn(() => void (asked += 1));
    const calls = [store.head('film'), store.open('film'), store.put('film', bodyOf('bytes'))];
    const settled = Promise.allSettled(calls);
    while (asked < 3) await sleep(10);

    await store.close();

    const codes = (await settled).map((call) => (call.status === 'rejected' ? (call.reason as StorageError).code : ''));
    expect(codes).toEqual(['NETWORK', 'NETWORK', 'NETWORK']);
    expect(asked).toBe(3);
  });

  it('had sockets for metadata that its transfers did not use', async () => {
    const bodies: (() => void)[] = [];
    const store = await storeOn((request, response) => {
      response.writeHead(200, HEAD);
      if (request.method === 'HEAD') response.end();
      else bodies.push(() => response.end('0123456789'));
    });
    // all sockets for downloads, and more, are taken
    const reading = Array.from({ length: 300 }, () => read(store, 'film'));
    while (bodies.length < 256) await sleep(10);

    const { size } = await store.head('film');

    expect(size).toBe(10);
    const timer = setInterval(() => bodies.splice(0).forEach((end) => end()), 5);
    await Promise.all(reading);
    clearInterval(timer);
  });
});
