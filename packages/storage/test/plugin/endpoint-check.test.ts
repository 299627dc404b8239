import type { RequestListener } from 'node:http';
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { checkEndpoint, CheckRun } from '../../src/plugin/index.ts';
import { rejection } from './rejection.ts';
import { nowhere, serve } from './web-server.ts';

afterEach(() => {
  jest.restoreAllMocks();
});

async function check(origin: string, path = '') {
  const run = new CheckRun(new AbortController().signal);
  const worthwhile = await checkEndpoint(run, `${origin}${path}`, 'endpoint');
  const steps = Object.fromEntries(run.report().steps.map(({ name, ...step }) => [name, step]));
  return { worthwhile, steps };
}

describe('the endpoint', () => {
  it('answers: the check says so, without what else is in the URL, and asks for no body', async () => {
    const asked: unknown[] = [];
    const origin = await serve(({ method, url }, response) => {
      asked.push([method, url]);
      response.end();
    });

    const { worthwhile, steps } = await check(origin, '/films?token=secret');

    expect(worthwhile).toBe(true);
    expect(steps['endpoint']).toEqual({ ok: true, detail: `${origin} answers.` });
    expect(asked).toEqual([['HEAD', '/films?token=secret']]);
  });

  it.each<{ title: string; answer: RequestListener }>([
    { title: '403', answer: (_request, response) => response.writeHead(403).end() },
    { title: '500', answer: (_request, response) => response.writeHead(500).end() },
    {
      title: 'a redirect to where nobody is',
      answer: (_request, response) => response.writeHead(302, { location: 'http://127.0.0.1:9/' }).end(),
    },
  ])('that answers with $title answers all the same', async ({ answer }) => {
    const { worthwhile, steps } = await check(await serve(answer));

    expect([worthwhile, steps['endpoint']?.ok, steps['clock']?.ok]).toEqual([true, true, true]);
  });

  it('at which nobody listens: the check says where, why and what to look at, and nothing of the clock', async () => {
    const origin = await nowhere();

    const { worthwhile, steps } = await check(origin, '/films?token=secret');

    expect(worthwhile).toBe(false);
    expect(steps).toEqual({
      endpoint: {
        ok: false,
        detail: `Nothing answers at ${origin} (ECONNREFUSED). Look at endpoint, name servers, proxy and firewall.`,
      },
    });
  });

  it('that hangs up without an answer does not answer', async () => {
    const { worthwhile, steps } = await check(await serve(({ socket }) => void socket.destroy()));

    expect(worthwhile).toBe(false);
    expect(steps['endpoint']?.detail).toContain('(UND_ERR_SOCKET)');
  });

  it('that keeps silent is not waited for longer than ten seconds', async () => {
    const real = AbortSignal.timeout.bind(AbortSignal);
    // a hundredth of the time
    const timeout = jest.spyOn(AbortSignal, 'timeout').mockImplementation((ms) => real(ms / 100));
    const origin = await serve(() => undefined);

    const { worthwhile, steps } = await check(origin);

    expect(worthwhile).toBe(false);
    expect(steps['endpoint']?.detail).toContain(`Nothing answers at ${origin} (no answer in time).`);
    expect(timeout).toHaveBeenCalledWith(10_000);
  });

  it('that keeps silent is left at once by an abort', async () => {
    const controller = new AbortController();
    const origin = await serve(() => controller.abort());
    const run = new CheckRun(controller.signal);

    const error = await rejection(checkEndpoint(run, origin, 'endpoint'));

    expect(error).toMatchObject({ code: 'ABORTED' });
    expect(run.report().steps).toEqual([]);
  });
});

describe('the clock', () => {
  const at = (date: string | undefined): Promise<string> =>
    serve((_request, response) => {
      response.sendDate = false;
      if (date !== undefined) response.setHeader('date', date);
      response.end();
    });
  const secondsFromNow = (seconds: number): string => new Date(Date.now() + seconds * 1000).toUTCString();

  it.each([0, 50, -50])('agrees with that of a server that is %d s ahead', async (seconds) => {
    const { worthwhile, steps } = await check(await at(secondsFromNow(seconds)));

    expect(worthwhile).toBe(true);
    expect(steps['clock']?.ok).toBe(true);
    expect(steps['clock']?.detail).toMatch(/^This machine's clock agrees with the server's to \d+ s\.$/);
  });

  it.each([
    { seconds: 3600, says: /^This machine's clock is 3(600|599|598) s behind the server's: .*Set it \(NTP\)\.$/ },
    { seconds: -3600, says: /^This machine's clock is 360\d s ahead of the server's: .*Set it \(NTP\)\.$/ },
    { seconds: 70, says: /behind/ },
    { seconds: -70, says: /ahead of/ },
  ])('is wrong when the server is $seconds s ahead, and the check goes on', async ({ seconds, says }) => {
    const { worthwhile, steps } = await check(await at(secondsFromNow(seconds)));

    expect(worthwhile).toBe(true);
    expect(steps['clock']).toMatchObject({ ok: false, detail: expect.stringMatching(says) });
  });

  it.each([undefined, 'yesterday'])('is not compared when the server says that it is %s', async (date) => {
    const { steps } = await check(await at(date));

    expect(steps['clock']).toEqual({ ok: true, detail: 'The server does not tell its time: not compared.' });
  });
});
