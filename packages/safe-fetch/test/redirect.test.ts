import { type RequestListener } from 'node:http';
import { afterEach, describe, expect, it } from '@jest/globals';
import { type FetchPolicy, SafeFetch } from '../src/index.ts';
import { ca, Cleanup, type Origin, startOrigin } from './origin.ts';

const cleanup = new Cleanup();
afterEach(() => cleanup.run());

const fetchWith = (policy: Partial<FetchPolicy> = {}): SafeFetch =>
  cleanup.add(new SafeFetch({ allowedHosts: [], allowedPrivateAddresses: ['127.0.0.1'], ca, ...policy }));
const redirectTo =
  (location: string | (() => string), status = 302): RequestListener =>
  (_, response) =>
    response.writeHead(status, { location: typeof location === 'string' ? location : location() }).end('moved');
const start = async (handler?: RequestListener, options?: { tls?: boolean; host?: string }): Promise<Origin> =>
  cleanup.add(await startOrigin(handler, options));
const SECRETS = { authorization: 'Bearer SECRET', Cookie: 'SECRET', 'X-Api-Key': 'SECRET' };

it.each([301, 302, 303, 307, 308])('status %d is followed to another origin', async (status) => {
  const target = await start();
  const origin = await start(redirectTo(target.url('/there'), status));

  const { body, url, status: final } = await fetchWith().request(origin.url());

  expect({ final, url, text: String(await body.toArray()) }).toEqual({
    final: 200,
    url: target.url('/there'),
    text: 'hello',
  });
});

it('only what says which bytes are wanted goes to another origin', async () => {
  const target = await start();
  const origin = await start(redirectTo(target.url()));

  await fetchWith().request(origin.url(), {
    headers: { ...SECRETS, Range: 'bytes=1-', 'If-Range': '"v1"', Accept: 'video/mp4' },
  });

  expect(origin.requests[0]?.headers).toMatchObject({ authorization: 'Bearer SECRET', 'x-api-key': 'SECRET' });
  expect(target.requests[0]?.headers).toMatchObject({ range: 'bytes=1-', 'if-range': '"v1"', accept: 'video/mp4' });
  expect(JSON.stringify(target.requests[0]?.headers)).not.toContain('SECRET');
});

it('headers once dropped do not come back with the first origin', async () => {
  const there = await start(redirectTo(() => here.url('/back')));
  const here: Origin = await start((request, response) =>
    request.url === '/back' ? response.end() : redirectTo(there.url())(request, response),
  );

  await fetchWith().request(here.url(), { headers: SECRETS });

  expect(JSON.stringify(here.requests[0]?.headers)).toContain('SECRET');
  expect(JSON.stringify(here.requests[1]?.headers)).not.toContain('SECRET');
});

it('a relative redirect stays at its origin and keeps the headers', async () => {
  const origin = await start((request, response) =>
    request.url === '/b?x=1' ? response.end() : redirectTo('b?x=1')(request, response),
  );

  await fetchWith().request(origin.url('/a'), { headers: SECRETS });

  expect(origin.requests.map(({ url, headers }) => [url, headers['authorization']])).toEqual([
    ['/a', 'Bearer SECRET'],
    ['/b?x=1', 'Bearer SECRET'],
  ]);
});

describe('nothing is sent when a redirect leads to', () => {
  it.each([
    ['a private address', (port: number) => `http://127.0.0.2:${port}/`],
    ['another spelling of loopback', (port: number) => `http://[::ffff:127.0.0.1]:${port}/`],
    ['IPv6 loopback', (port: number) => `https://[::1]:${port}/`],
    ['the metadata service', () => 'https://169.254.169.254/latest/meta-data/'],
    ['a name of loopback', (port: number) => `http://localhost:${port}/`],
    ['userinfo', (port: number) => `http://user:SECRET@127.0.0.1:${port}/`],
    ['another port of a listed host', (port: number) => `https://files.test:${port}/`],
    ['http on a listed host', () => 'http://files.test/'],
    ['a host that is not listed', () => 'https://evil.test/'],
    ['a file', () => 'file:///etc/passwd'],
    ['a data URL', () => 'data:text/plain,SECRET'],
    ['no URL', () => 'http://'],
  ])('%s', async (_, locate) => {
    const target = await start();
    const origin = await start(redirectTo(locate(target.port)), { host: '127.0.0.1' });

    const refused = fetchWith({ allowedHosts: ['files.test'] }).request(origin.url());

    await expect(refused).rejects.toMatchObject({
      code: 'FORBIDDEN_URL',
      message: expect.not.stringContaining('SECRET'),
    });
    expect(origin.requests).toHaveLength(1);
    expect(target.connections).toEqual([]);
  });

  it('http, coming from https', async () => {
    const target = await start();
    const origin = await start(redirectTo(target.url()), { tls: true });

    const refused = fetchWith().request(origin.url());

    await expect(refused).rejects.toMatchObject({
      code: 'FORBIDDEN_URL',
      message: expect.stringContaining('https to http'),
    });
    expect(target.connections).toEqual([]);
  });
});

it('a loop ends after the third redirect', async () => {
  const origin: Origin = await start(redirectTo('/again?token=SECRET'));

  const refused = fetchWith().request(origin.url());

  await expect(refused).rejects.toMatchObject({
    code: 'TOO_MANY_REDIRECTS',
    message: expect.not.stringContaining('SECRET'),
  });
  expect(origin.requests).toHaveLength(4);
});

it('with no redirects allowed the first one is an error, not an answer', async () => {
  const origin = await start(redirectTo('/again'));

  await expect(fetchWith({ maxRedirects: 0 }).request(origin.url())).rejects.toMatchObject({
    code: 'TOO_MANY_REDIRECTS',
  });
  expect(origin.requests).toHaveLength(1);
});

it('the redirect of a POST is answered: its body was meant for one address', async () => {
  const target = await start();
  const origin = await start(redirectTo(target.url(), 307));

  const { status } = await fetchWith().request(origin.url(), { method: 'POST', body: '{}' });

  expect(status).toBe(307);
  expect(target.connections).toEqual([]);
});

it('a 3xx that names no place is answered', async () => {
  const origin = await start((_, response) => response.writeHead(304).end());

  expect(await fetchWith().request(origin.url())).toMatchObject({ status: 304 });
});
