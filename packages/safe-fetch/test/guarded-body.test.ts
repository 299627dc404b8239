import { getEventListeners } from 'node:events';
import { type RequestListener, type ServerResponse } from 'node:http';
import { type Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from '@jest/globals';
import { type FetchPolicy, SafeFetch } from '../src/index.ts';
import { allClosed, ca, Cleanup, type Origin, startOrigin } from './origin.ts';

const cleanup = new Cleanup();
afterEach(() => cleanup.run());

const fetchWith = (policy: Partial<FetchPolicy> = {}): SafeFetch =>
  cleanup.add(new SafeFetch({ allowedHosts: [], allowedPrivateAddresses: ['127.0.0.1'], ca, ...policy }));
const start = async (handler?: RequestListener, tls = false): Promise<Origin> =>
  cleanup.add(await startOrigin(handler, { tls }));

async function read(body: Readable): Promise<{ bytes: number; error?: unknown }> {
  let bytes = 0;
  try {
    for await (const chunk of body) bytes += (chunk as Buffer).length;
    return { bytes };
  } catch (error) {
    return { bytes, error };
  }
}

/** More than two socket buffers ever hold. */
const MOST_IN_KERNEL = 30_000_000;

/** A server that sends as much as is taken from it. */
async function startEndless(): Promise<{ origin: Origin; sent: () => number }> {
  let sent = 0;
  const origin = await start((_, response) => {
    const more = (): void => {
      do sent += 65_536;
      while (!response.destroyed && response.write(Buffer.alloc(65_536)));
    };
    response.on('drain', more);
    more();
  });
  return { origin, sent: () => sent };
}

function every(ms: number, response: ServerResponse, send: () => void): void {
  const timer = setInterval(send, ms);
  response.on('close', () => clearInterval(timer));
}

describe('time', () => {
  it.each([
    { title: 'after some bytes', first: 1000 },
    { title: 'before the first byte', first: 0 },
  ])('a source that falls silent $title is STALLED, and its connection closed', async ({ first }) => {
    const origin = await start((_, response) => {
      response.setHeader('content-length', 5000).flushHeaders();
      response.write(Buffer.alloc(first));
    });
    const { body } = await fetchWith({ idleTimeoutMs: 100 }).request(origin.url('/a?token=SECRET'));
    const before = performance.now();

    const { bytes, error } = await read(body);

    expect(bytes).toBe(first);
    expect(error).toMatchObject({ name: 'FetchError', code: 'STALLED', url: origin.url('/a') });
    expect(performance.now() - before).toBeGreaterThan(95);
    await allClosed(origin);
  });

  it('a drip that never pauses long enough to be idle is TOO_SLOW', async () => {
    const origin = await start((_, response) => every(10, response, () => response.write('x')));
    const { body } = await fetchWith({ idleTimeoutMs: 200, minRateWindowMs: 200 }).request(origin.url());

    const { error } = await read(body);

    expect(error).toMatchObject({ code: 'TOO_SLOW' });
    await allClosed(origin);
  });

  it('a fast start does not excuse a drip', async () => {
    const origin = await start((_, response) => {
      response.write(Buffer.alloc(1_000_000));
      every(10, response, () => response.write('x'));
    });
    const { body } = await fetchWith({ idleTimeoutMs: 200, minRateWindowMs: 200 }).request(origin.url());

    const { bytes, error } = await read(body);

    expect(bytes).toBeGreaterThanOrEqual(1_000_000);
    expect(error).toMatchObject({ code: 'TOO_SLOW' });
  });

  it('the minimum rate can be switched off', async () => {
    const origin = await start((_, response) => {
      let left = 30;
      every(10, response, () => void (left-- > 0 ? response.write('x') : response.end()));
    });
    const policy = { idleTimeoutMs: 200, minRateWindowMs: 100, minBytesPerSecond: 0 };
    const { body } = await fetchWith(policy).request(origin.url());

    expect(await read(body)).toEqual({ bytes: 30 });
  });

  it('a consumer slower than every limit gets its bytes', async () => {
    const size = 8_000_000;
    const origin = await start((_, response) => response.end(Buffer.alloc(size)));
    const limits = { idleTimeoutMs: 60, minRateWindowMs: 60, minBytesPerSecond: 2_000_000 };
    const { body } = await fetchWith(limits).request(origin.url());

    let bytes = 0;
    let pauses = 8;
    for await (const chunk of body) {
      bytes += (chunk as Buffer).length;
      if (pauses-- > 0) await sleep(80);
    }

    expect(bytes).toBe(size);
  });

  it('a consumer that takes its time over the last bytes gets them all', async () => {
    const origin = await start((_, response) => {
      response.write('ab');
      setTimeout(() => response.end('cd'), 20);
    });
    const { body } = await fetchWith({ idleTimeoutMs: 50 }).request(origin.url());

    let bytes = 0;
    for await (const chunk of body) {
      bytes += (chunk as Buffer).length;
      await sleep(150);
    }

    expect(bytes).toBe(4);
  });

  it('a body that nobody reads yet is not judged', async () => {
    const origin = await start((_, response) => {
      response.flushHeaders();
      setTimeout(() => response.end('late'), 150);
    });
    const { body } = await fetchWith({ idleTimeoutMs: 50 }).request(origin.url());

    await sleep(200);

    expect(await read(body)).toEqual({ bytes: 4 });
  });

  it('a process that was stopped for a while does not find its sources stalled', async () => {
    const origin = await start((_, response) => {
      let left = 30;
      every(10, response, () => void (left-- > 0 ? response.write('x') : response.end()));
    });
    const policy = { idleTimeoutMs: 100, minRateWindowMs: 100, minBytesPerSecond: 10 };
    const { body } = await fetchWith(policy).request(origin.url());
    body.once('data', () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300));

    expect(await read(body)).toEqual({ bytes: 30 });
  });

  it('a server that never answers is TIMEOUT', async () => {
    const origin = await start(() => {});

    const refused = fetchWith({ headersTimeoutMs: 100 }).request(origin.url('/?token=SECRET'));

    await expect(refused).rejects.toMatchObject({ code: 'TIMEOUT', message: expect.not.stringContaining('SECRET') });
    await allClosed(origin);
  });

  it('a server that only sends early hints is TIMEOUT', async () => {
    const origin = await start((_, response) =>
      every(20, response, () => response.writeEarlyHints({ link: '</a>; rel=preload' })),
    );

    await expect(fetchWith({ headersTimeoutMs: 200 }).request(origin.url())).rejects.toMatchObject({ code: 'TIMEOUT' });
    await allClosed(origin);
  });

  it('a resolver that never answers is TIMEOUT', async () => {
    const policy = { allowedHosts: ['*'], connectTimeoutMs: 100 };
    const fetch = cleanup.add(new SafeFetch(policy, { resolve: () => new Promise(() => {}) }));

    await expect(fetch.request('https://files.test/')).rejects.toMatchObject({ code: 'TIMEOUT' });
  });
});

describe('size', () => {
  it('a body announced too large is refused before it is read', async () => {
    const origin = await start((_, response) => response.setHeader('content-length', 1001).flushHeaders());

    await expect(fetchWith({ maxBytes: 1000 }).request(origin.url())).rejects.toMatchObject({ code: 'TOO_LARGE' });
    await allClosed(origin);
  });

  it('a body that grows too large is cut, and the rest of it never fetched', async () => {
    const { origin, sent } = await startEndless();
    const { body } = await fetchWith({ maxBytes: 1_000_000 }).request(origin.url());

    const { bytes, error } = await read(body);

    expect(error).toMatchObject({ code: 'TOO_LARGE' });
    expect(bytes).toBeLessThanOrEqual(1_000_000);
    await allClosed(origin);
    expect(sent()).toBeLessThan(MOST_IN_KERNEL);
  });

  it('a body that is not read is not fetched ahead', async () => {
    const { origin, sent } = await startEndless();
    const { body } = await fetchWith().request(origin.url());

    body.once('readable', () => void body.read(1));
    await sleep(300);

    expect(sent()).toBeGreaterThan(0);
    expect(sent()).toBeLessThan(MOST_IN_KERNEL);
  });

  it('a body of exactly the limit is whole', async () => {
    const origin = await start((_, response) => response.end(Buffer.alloc(1000)));

    const { body } = await fetchWith({ maxBytes: 1000 }).request(origin.url());

    expect(await read(body)).toEqual({ bytes: 1000 });
  });

  it('the length in the answer to a HEAD is not a body', async () => {
    const origin = await start((_, response) => response.setHeader('content-length', 5000).end());

    const { body, headers } = await fetchWith({ maxBytes: 1000 }).request(origin.url(), { method: 'HEAD' });

    expect(headers['content-length']).toBe('5000');
    expect(await read(body)).toEqual({ bytes: 0 });
  });

  it('a compressed body is handed on as it came', async () => {
    const origin = await start((request, response) => {
      response.setHeader('content-encoding', 'gzip');
      response.end(Buffer.alloc(10));
      expect(request.headers['accept-encoding']).toBe('identity');
    });

    const { body } = await fetchWith().request(origin.url(), { headers: { 'Accept-Encoding': 'gzip' } });

    expect(await read(body)).toEqual({ bytes: 10 });
  });
});

describe.each([
  { scheme: 'http', tls: false },
  { scheme: 'https', tls: true },
])('a body cut short over $scheme', ({ tls }) => {
  it.each([
    { title: 'FIN before the announced length', headers: { 'content-length': 5000 }, cut: 'destroySoon' as const },
    { title: 'RST before the announced length', headers: { 'content-length': 5000 }, cut: 'resetAndDestroy' as const },
    { title: 'FIN in a chunked body', headers: {}, cut: 'destroySoon' as const },
    { title: 'RST in a chunked body', headers: {}, cut: 'resetAndDestroy' as const },
    {
      title: 'FIN before the announced length of a connection that was to close',
      headers: { 'content-length': 5000, connection: 'close' },
      cut: 'destroySoon' as const,
    },
    {
      title: 'RST before the announced length of a connection that was to close',
      headers: { 'content-length': 5000, connection: 'close' },
      cut: 'resetAndDestroy' as const,
    },
  ])('by $title is SOURCE_TRUNCATED', async ({ headers, cut }) => {
    const origin = await start((_, response) => {
      response.writeHead(200, headers).write(Buffer.alloc(1000));
      setTimeout(() => {
        // a TLS socket has no RST of its own
        if (cut === 'resetAndDestroy') for (const socket of origin.open) socket.resetAndDestroy();
        else response.socket?.destroySoon();
      }, 20);
    }, tls);
    const { body } = await fetchWith().request(origin.url('/a?token=SECRET'));

    const { error } = await read(body);

    expect(error).toMatchObject({ code: 'SOURCE_TRUNCATED', message: expect.not.stringContaining('SECRET') });
  });
});

describe('an abort', () => {
  it('before the request sends nothing', async () => {
    const origin = await start();

    const refused = fetchWith().request(origin.url(), { signal: AbortSignal.abort() });

    await expect(refused).rejects.toMatchObject({ name: 'FetchError', code: 'ABORTED' });
    await sleep(20);
    expect(origin.connections).toEqual([]);
  });

  it('settles at once while the name is still being resolved', async () => {
    const fetch = cleanup.add(new SafeFetch({ allowedHosts: ['*'] }, { resolve: () => new Promise(() => {}) }));
    const controller = new AbortController();
    const refused = fetch.request('https://files.test/', { signal: controller.signal });
    const before = performance.now();

    controller.abort();

    await expect(refused).rejects.toMatchObject({ code: 'ABORTED' });
    expect(performance.now() - before).toBeLessThan(100);
  });

  it('settles at once while the headers are waited for, and closes the connection', async () => {
    const controller = new AbortController();
    const origin = await start(() => setImmediate(() => controller.abort(new Error('enough'))));

    const refused = fetchWith().request(origin.url(), { signal: controller.signal });

    await expect(refused).rejects.toMatchObject({
      code: 'ABORTED',
      cause: expect.objectContaining({ message: 'enough' }),
    });
    await allClosed(origin);
  });

  it.each([
    { title: 'flowing', length: 100_000_000 },
    { title: 'silent', length: 1000 },
  ])('in the middle of a $title body fails it at once and closes the connection', async ({ length }) => {
    const origin = await start((_, response) => response.writeHead(200).write(Buffer.alloc(length)));
    const controller = new AbortController();
    const { body } = await fetchWith().request(origin.url(), { signal: controller.signal });
    body.once('data', () => setImmediate(() => controller.abort()));

    const { error } = await read(body);

    expect(error).toMatchObject({ code: 'ABORTED' });
    await allClosed(origin);
  });

  it('of a body that nobody has touched ends no process, and whoever reads it later is told', async () => {
    const origin = await start((_, response) => response.writeHead(200).write('x'));
    const controller = new AbortController();
    const { body } = await fetchWith().request(origin.url(), { signal: controller.signal });

    controller.abort();
    await allClosed(origin);

    expect(await read(body)).toMatchObject({ bytes: 0, error: { code: 'ABORTED' } });
  });

  it('200 reads aborted half-way leave no open connection', async () => {
    const origin = await start((_, response) => response.writeHead(200).write(Buffer.alloc(200_000)));
    const fetch = fetchWith();

    const reads = Array.from({ length: 200 }, async (_, index) => {
      const controller = new AbortController();
      const { body } = await fetch.request(origin.url(), { signal: controller.signal });
      for await (const chunk of body) {
        expect((chunk as Buffer).length).toBeGreaterThan(0);
        // one half by the signal, the other by leaving the loop, which destroys the body
        if (index % 2 === 0) break;
        controller.abort();
      }
    });
    const outcomes = await Promise.allSettled(reads);

    expect(outcomes.filter(({ status }) => status === 'rejected')).toHaveLength(100);
    expect(origin.requests).toHaveLength(200);
    await allClosed(origin);
  });

  it('signal that outlives many requests is not listened to for ever', async () => {
    const origin = await start();
    const fetch = fetchWith();
    const { signal } = new AbortController();

    for (let index = 0; index < 5; index += 1) await read((await fetch.request(origin.url(), { signal })).body);
    await fetch.request('http://127.0.0.1:1/', { signal }).catch(() => undefined);
    await sleep(10);

    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });
});

it('a body read to its end leaves its connection for the next request', async () => {
  const origin = await start();
  const fetch = fetchWith();

  for (let index = 0; index < 3; index += 1) {
    await read((await fetch.request(origin.url())).body);
    // a connection is free again only after a turn of the event loop
    await sleep(10);
  }

  expect(origin.requests).toHaveLength(3);
  expect(origin.connections).toHaveLength(1);
});

it('close() fails what is being read and what comes later with ABORTED', async () => {
  const origin = await start((_, response) => response.writeHead(200).write('x'));
  const fetch = fetchWith();
  const { body } = await fetch.request(origin.url());
  const reading = read(body);

  await fetch.close();

  expect(await reading).toMatchObject({ error: { code: 'ABORTED' } });
  await expect(fetch.request(origin.url())).rejects.toMatchObject({ code: 'ABORTED' });
  await allClosed(origin);
});

describe('NETWORK is', () => {
  it('a refused connection', async () => {
    await expect(fetchWith().request('http://127.0.0.1:1/')).rejects.toMatchObject({ code: 'NETWORK' });
  });

  it('a name that does not resolve', async () => {
    const resolve = () => Promise.reject(new Error('getaddrinfo ENOTFOUND files.test'));
    const fetch = cleanup.add(new SafeFetch({ allowedHosts: ['*'] }, { resolve }));

    await expect(fetch.request('https://files.test/')).rejects.toMatchObject({
      code: 'NETWORK',
      message: 'https://files.test/: getaddrinfo ENOTFOUND files.test',
    });
  });

  it('a certificate of an unknown authority', async () => {
    const origin = await start(undefined, true);
    const fetch = cleanup.add(new SafeFetch({ allowedHosts: [], allowedPrivateAddresses: ['127.0.0.1'] }));

    await expect(fetch.request(origin.url())).rejects.toMatchObject({ code: 'NETWORK' });
    expect(origin.requests).toEqual([]);
  });

  it('an answer that is not HTTP', async () => {
    const origin = await start((_, response) => response.socket?.end('SSH-2.0-OpenSSH_9.9\r\n'));

    await expect(fetchWith().request(origin.url())).rejects.toMatchObject({ code: 'NETWORK' });
  });
});

it('a POST sends its body and headers, and its answer is read like any other', async () => {
  const origin = await start((request, response) => void request.pipe(response.writeHead(201, { 'x-a': ['1', '2'] })));

  const { status, headers, body } = await fetchWith().request(origin.url(), {
    method: 'POST',
    headers: { Authorization: 'Bearer 1' },
    body: '{"a":1}',
  });

  expect({ status, values: headers['x-a'], text: String(await body.toArray()) }).toEqual({
    status: 201,
    values: '1, 2',
    text: '{"a":1}',
  });
  expect(origin.requests[0]).toMatchObject({ method: 'POST', headers: { authorization: 'Bearer 1' } });
});
