import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { startSourceServer } from '@paradoxon/storage-testing';
import { type Prediction } from '../src/index.ts';
import { errorOf } from './errors.ts';
import { ID, type Setting, startSetting, TOKEN } from './setting.ts';

let setting: Setting;
beforeEach(async () => {
  setting = await startSetting();
});
afterEach(() => setting.close());

async function all(predictions: AsyncIterable<Prediction>): Promise<string[]> {
  const ids: string[] = [];
  for await (const { id } of predictions) ids.push(id);
  return ids;
}

describe('asking for a prediction', () => {
  it('sends the token and gives the prediction, fields nobody knows included', async () => {
    setting.succeed('https://replicate.delivery/a.mp4', { flavour: 'sour' });

    const prediction = await setting.store.getPrediction(ID);

    expect(prediction).toMatchObject({ id: ID, status: 'succeeded', flavour: 'sour' });
    expect(setting.api.requests).toMatchObject([{ path: `/v1/predictions/${ID}`, authorization: `Bearer ${TOKEN}` }]);
  });

  it('works behind an address with a path', async () => {
    const store = setting.open({ apiUrl: `${setting.api.origin}/proxy/` });

    await errorOf(() => store.getPrediction(ID));

    expect(setting.api.requests[0]?.path).toBe(`/proxy/v1/predictions/${ID}`);
  });

  it('says which option is missing without a token, and asks nobody', async () => {
    const store = setting.openWithoutToken();

    const error = await errorOf(() => store.head(ID));

    expect(error).toMatchObject({ code: 'UNAUTHENTICATED', storage: 'direct', operation: 'head', key: ID });
    expect(error.message).toContain('apiToken');
    expect(setting.api.requests).toEqual([]);
  });

  it('says which option is wrong with a bad token', async () => {
    const error = await errorOf(() => setting.open({ apiToken: 'r8_other' }).getPrediction(ID));

    expect(error).toMatchObject({ code: 'UNAUTHENTICATED', httpStatus: 401, retry: 'never' });
    expect(error.message).toContain('apiToken');
    expect(error.message).toContain('You did not pass a valid authentication token');
  });

  it('says that there is no such prediction', async () => {
    expect(await errorOf(() => setting.store.head(ID))).toMatchObject({ code: 'NOT_FOUND', httpStatus: 404 });
  });

  it('takes no URL', async () => {
    const error = await errorOf(() => setting.store.getPrediction('https://replicate.delivery/a.mp4'));

    expect(error.code).toBe('INVALID_KEY');
  });

  it.each([
    { title: 'a 500', answer: { status: 500 }, code: 'UNAVAILABLE' },
    { title: 'a 408', answer: { status: 408 }, code: 'UNAVAILABLE' },
    { title: 'a 403', answer: { status: 403, body: { detail: 'no' } }, code: 'PERMISSION_DENIED' },
    { title: 'a 422', answer: { status: 422 }, code: 'PERMISSION_DENIED' },
    { title: "a proxy's page", answer: { status: 200, body: '<html>' }, code: 'UNAVAILABLE' },
    { title: 'other JSON', answer: { status: 200, body: ['prediction'] }, code: 'UNAVAILABLE' },
    { title: '17 MiB', answer: { status: 200, body: { id: 'x'.repeat(17 * 1024 ** 2) } }, code: 'TOO_LARGE' },
    { title: 'a broken connection', answer: 'reset' as const, code: 'NETWORK' },
  ])('reports $title as $code', async ({ answer, code }) => {
    setting.api.answerNext(answer);

    const error = await errorOf(() => setting.store.getPrediction(ID));

    expect(error).toMatchObject({ code, scope: 'source', storage: 'direct', operation: 'getPrediction' });
    expect(setting.api.requests).toHaveLength(1);
  });

  it('says how long a 503 wants to be left alone', async () => {
    setting.api.answerNext({ status: 503, headers: { 'retry-after': '30' } });

    expect((await errorOf(() => setting.store.head(ID))).retryAfterMs).toBe(30_000);
  });

  it('ends at once when the caller aborts', async () => {
    setting.api.answerNext('hang');
    const call = errorOf(() => setting.store.head(ID, { signal: AbortSignal.timeout(30) }));

    expect(await call).toMatchObject({ code: 'ABORTED', scope: 'local', operation: 'head' });
  });

  it('does not begin when the caller has aborted', async () => {
    const signal = AbortSignal.abort(new Error('enough'));

    expect((await errorOf(() => setting.store.head(ID, { signal }))).code).toBe('ABORTED');
    expect((await errorOf(() => setting.store.getPrediction(ID, { signal }))).code).toBe('ABORTED');
    expect(setting.api.requests).toEqual([]);
  });

  it('follows no redirect: the token stays at home', async () => {
    const elsewhere = await startSourceServer({ files: { '/a.mp4': Buffer.from('{}') } });
    try {
      setting.api.answerNext({ status: 302, headers: { location: elsewhere.url('/a.mp4') } });

      await errorOf(() => setting.store.getPrediction(ID));

      expect(elsewhere.requests).toEqual([]);
    } finally {
      await elsewhere.close();
    }
  });
});

describe('an API that asks for a pause', () => {
  it.each([
    { title: 'in seconds', header: () => '1' },
    // a date has no milliseconds: up to one second is cut off
    { title: 'as a date', header: () => new Date(Date.now() + 2000).toUTCString() },
  ])('gets it ($title), then one more question', async ({ header }) => {
    setting.succeed('https://replicate.delivery/a.mp4');
    const retryAfter = header();
    const notBefore = retryAfter === '1' ? Date.now() + 1000 : Date.parse(retryAfter);
    setting.api.answerNext({ status: 429, headers: { 'retry-after': retryAfter } });

    await setting.store.getPrediction(ID);

    expect(setting.api.requests).toHaveLength(2);
    expect(setting.api.requests[1]?.at).toBeGreaterThanOrEqual(notBefore);
  });

  it('gets it from everybody, and no burst afterwards', async () => {
    setting.succeed('https://replicate.delivery/a.mp4');
    setting.api.answerNext({ status: 429, headers: { 'retry-after': '1' } });
    const first = setting.store.getPrediction(ID);
    while (setting.api.requests.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    const notBefore = (setting.api.requests[0]?.at ?? 0) + 1000;
    await new Promise((resolve) => setTimeout(resolve, 50));

    await Promise.all([first, ...Array.from({ length: 5 }, () => setting.store.getPrediction(ID))]);

    const [, ...later] = setting.api.requests;
    expect(later).toHaveLength(6);
    for (const { at } of later) expect(at).toBeGreaterThanOrEqual(notBefore);
  });

  it('is believed when it says how long only in ratelimit-reset', async () => {
    setting.succeed('https://replicate.delivery/a.mp4');
    setting.api.answerNext({ status: 429, headers: { 'ratelimit-reset': '1' } });

    await setting.store.getPrediction(ID);

    const [first, second] = setting.api.requests;
    expect((second?.at ?? 0) - (first?.at ?? 0)).toBeGreaterThanOrEqual(1000);
  });

  it('is reported as RATE_LIMITED when it refuses again', async () => {
    const limited = { status: 429, headers: { 'retry-after': '1' }, body: { detail: 'Request was throttled.' } };
    setting.api.answerNext(limited, limited);

    const error = await errorOf(() => setting.store.head(ID));

    expect(error).toMatchObject({ code: 'RATE_LIMITED', retry: 'after', retryAfterMs: 1000, httpStatus: 429 });
    expect(error.message).toContain('Request was throttled.');
    expect(setting.api.requests).toHaveLength(2);
  });

  it('is not asked again, nor waited for, when the pause is long', async () => {
    setting.api.answerNext({ status: 429, headers: { 'retry-after': '3600' } });

    for (let call = 0; call < 3; call += 1) {
      const error = await errorOf(() => setting.store.head(ID));

      expect(error.code).toBe('RATE_LIMITED');
      expect(error.retryAfterMs).toBeGreaterThan(3_590_000);
    }
    expect(setting.api.requests).toHaveLength(1);
  });

  it('does not hold up a caller who aborts', async () => {
    setting.api.answerNext({ status: 429, headers: { 'retry-after': '10' } });
    const begin = Date.now();

    const error = await errorOf(() => setting.store.head(ID, { signal: AbortSignal.timeout(100) }));

    expect(error.code).toBe('ABORTED');
    expect(Date.now() - begin).toBeLessThan(2000);
  });

  it('pauses one store, not another one', async () => {
    setting.succeed('https://replicate.delivery/a.mp4');
    setting.api.answerNext({ status: 429, headers: { 'retry-after': '3600' } });
    await errorOf(() => setting.store.getPrediction(ID));

    expect((await setting.open().getPrediction(ID)).id).toBe(ID);
  });
});

describe('the list of predictions', () => {
  const add = (count: number) => {
    for (let number = 0; number < count; number += 1) {
      const created_at = new Date(Date.UTC(2026, 10, 22, 12, number)).toISOString();
      setting.api.predictions.set(`p${number}`, { id: `p${number}`, status: 'succeeded', output: null, created_at });
    }
  };

  it('is read to its end, page after page, newest first', async () => {
    add(7);
    setting.api.pageSize = 3;

    expect(await all(setting.store.listPredictions())).toEqual(['p6', 'p5', 'p4', 'p3', 'p2', 'p1', 'p0']);

    expect(setting.api.requests).toHaveLength(3);
    for (const { authorization } of setting.api.requests) expect(authorization).toBe(`Bearer ${TOKEN}`);
  });

  it('begins after the time that was asked for, on every page', async () => {
    add(7);
    setting.api.pageSize = 2;
    const createdAfter = new Date(Date.UTC(2026, 10, 22, 12, 3));

    expect(await all(setting.store.listPredictions({ createdAfter }))).toEqual(['p6', 'p5', 'p4']);

    expect(setting.api.requests.map(({ search }) => search.get('created_after'))).toEqual([
      '2026-11-22T12:03:00.000Z',
      '2026-11-22T12:03:00.000Z',
    ]);
  });

  it('is not read further than the caller reads', async () => {
    add(7);
    setting.api.pageSize = 3;

    for await (const _prediction of setting.store.listPredictions()) break;

    expect(setting.api.requests).toHaveLength(1);
  });

  it('does not lead the token to another origin', async () => {
    const elsewhere = await startSourceServer({ files: { '/v1/predictions': Buffer.from('{}') } });
    try {
      setting.api.answerNext({ status: 200, body: { results: [], next: elsewhere.url('/v1/predictions') } });

      expect((await errorOf(() => all(setting.store.listPredictions()))).code).toBe('FORBIDDEN_URL');

      expect(elsewhere.requests).toEqual([]);
    } finally {
      await elsewhere.close();
    }
  });

  it('does not run in circles', async () => {
    const circle = { status: 200, body: { results: [], next: `${setting.api.origin}/v1/predictions?cursor=1` } };
    setting.api.answerNext(circle, circle, circle);

    expect((await errorOf(() => all(setting.store.listPredictions()))).code).toBe('UNAVAILABLE');

    expect(setting.api.requests).toHaveLength(2);
  });

  it.each([{ results: 'none' }, { results: [{ id: 'without status' }] }, null])('is not %j', async (body) => {
    setting.api.answerNext({ status: 200, body: body ?? 'null' });

    const error = await errorOf(() => all(setting.store.listPredictions()));

    expect(error).toMatchObject({ code: 'UNAVAILABLE', storage: 'direct', operation: 'listPredictions' });
  });

  it('ends at once when the caller aborts', async () => {
    setting.api.answerNext('hang');

    const error = await errorOf(() => all(setting.store.listPredictions({ signal: AbortSignal.timeout(30) })));

    expect(error.code).toBe('ABORTED');
  });
});
