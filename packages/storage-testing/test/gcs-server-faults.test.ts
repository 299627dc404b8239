import { expect, it } from '@jest/globals';
import { ask, noise, sdk, startServer } from './gcs-client.ts';

const FILM = noise(10_000);

it('fails as told, in order, and counts what has not happened yet', async () => {
  const server = await startServer({ anonymous: true });
  server.put('films', 'a.mp4', FILM);
  server.fail('GET /storage/v1/b/films/o/', [
    503,
    { status: 429, headers: { 'retry-after': '7' } },
    { status: 502, body: 'Bad Gateway' },
    'reset',
  ]);
  const url = `${server.endpoint}/storage/v1/b/films/o/a.mp4?alt=media`;

  const other = await ask(`${server.endpoint}/storage/v1/b/films`);
  const unavailable = await ask(url);
  const limited = await ask(url);
  const gateway = await ask(url);
  expect(server.pendingFaults()).toBe(1);
  const reset = await ask(url);
  const well = await ask(url);

  expect(other.status).toBe(200);
  expect(unavailable.status).toBe(503);
  expect(JSON.parse(unavailable.body.toString())).toMatchObject({
    error: { code: 503, errors: [{ reason: 'backendError', domain: 'global' }] },
  });
  expect([limited.status, limited.headers['retry-after']]).toEqual([429, '7']);
  expect(JSON.parse(limited.body.toString())).toMatchObject({ error: { errors: [{ reason: 'rateLimitExceeded' }] } });
  expect([gateway.status, gateway.body.toString()]).toEqual([502, 'Bad Gateway']);
  expect(reset.error).toBe('ECONNRESET');
  expect(well.body.equals(FILM)).toBe(true);
  expect(server.pendingFaults()).toBe(0);
  expect(server.requests.map(({ status }) => status)).toEqual([200, 503, 429, 502, 0, 200]);
});

it('tells requests apart by method, path, query and Content-Range', async () => {
  const server = await startServer({ anonymous: true });
  server.fail({ method: 'POST', path: /uploadType=resumable/ }, [503]);
  server.fail({ contentRange: /^bytes \*\// }, [500]);
  server.fail({ method: 'PUT', contentRange: /^bytes 0-/ }, [{ resetAfterBytes: 10 }]);
  const bucket = sdk(server).bucket('films');

  await bucket.file('simple').save(FILM, { resumable: false });
  expect(server.pendingFaults()).toBe(3);
  await bucket.file('resumable').save(FILM, { resumable: true, chunkSize: 256 * 1024 });

  expect(server.pendingFaults()).toBe(0);
  expect(server.objects('films')).toHaveLength(2);
});

it('does the work and loses the answer', async () => {
  const server = await startServer({ anonymous: true });
  server.fail('POST /upload/', ['lose-answer']);

  const lost = await ask(`${server.endpoint}/upload/storage/v1/b/films/o?uploadType=media&name=a.mp4`, {
    method: 'POST',
    body: FILM,
  });

  expect(lost.error).toBe('ECONNRESET');
  expect(server.objects('films')).toHaveLength(1);
  expect(server.requests).toMatchObject([{ bytes: FILM.byteLength, status: 0 }]);
});

it('cuts a download at its half', async () => {
  const server = await startServer({ anonymous: true });
  server.put('films', 'a.mp4', FILM);
  server.fail('GET', ['cut']);

  const cut = await ask(`${server.endpoint}/storage/v1/b/films/o/a.mp4?alt=media`);

  expect([cut.status, cut.headers['content-length'], cut.body.byteLength]).toEqual([200, '10000', 5_000]);
  expect(cut.error).toBeDefined();
});

it('never answers, and does nothing', async () => {
  const server = await startServer({ anonymous: true });
  server.fail('POST', ['stall']);

  const silent = fetch(`${server.endpoint}/upload/storage/v1/b/films/o?uploadType=media&name=a.mp4`, {
    method: 'POST',
    body: FILM,
    signal: AbortSignal.timeout(200),
  });

  await expect(silent).rejects.toThrow(/timeout/);
  expect(server.objects('films')).toEqual([]);
  expect(server.pendingFaults()).toBe(0);
});

it('stores nothing of a request that its client gives up', async () => {
  const server = await startServer({ anonymous: true });
  async function* body(): AsyncGenerator<Uint8Array> {
    yield FILM;
    await new Promise((later) => setTimeout(later, 20));
    throw new Error('given up');
  }

  const upload = fetch(`${server.endpoint}/upload/storage/v1/b/films/o?uploadType=media&name=a.mp4`, {
    method: 'POST',
    body: body(),
    duplex: 'half',
  });

  await expect(upload).rejects.toThrow();
  while (server.requests.length === 0) await new Promise((later) => setTimeout(later, 5));
  expect(server.requests).toMatchObject([{ method: 'POST', bytes: FILM.byteLength, status: 0 }]);
  expect(server.objects('films')).toEqual([]);
});

it('keeps a record of what was asked', async () => {
  const server = await startServer({ anonymous: true });

  await ask(`${server.endpoint}/storage/v1/b/films/o/scene%2F1%20a.mp4?alt=media`, { headers: { range: 'bytes=0-1' } });

  expect(server.requests).toMatchObject([
    {
      method: 'GET',
      path: '/storage/v1/b/films/o/scene/1 a.mp4',
      query: { alt: 'media' },
      headers: { range: 'bytes=0-1' },
      bytes: 0,
      status: 404,
    },
  ]);
});

it('survives a path that nobody can decode', async () => {
  const server = await startServer({ anonymous: true });

  const { status } = await ask(`${server.endpoint}/storage/v1/b/films/o/%zz`);

  expect(status).toBe(400);
});

it('closes its port and every connection', async () => {
  const server = await startServer({ anonymous: true });
  server.fail('GET', ['stall']);
  const waiting = ask(`${server.endpoint}/storage/v1/b/films`);
  while (server.requests.length === 0) await new Promise((later) => setTimeout(later, 5));

  await server.close();

  expect((await waiting).error).toBeDefined();
  expect((await ask(server.endpoint)).error).toBe('ECONNREFUSED');
});
