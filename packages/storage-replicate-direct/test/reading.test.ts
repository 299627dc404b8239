import { createHash } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { errorOf } from './errors.ts';
import { ID, type Setting, startSetting, VIDEO } from './setting.ts';

const MD5 = createHash('md5').update(VIDEO).digest('hex');
const HOUR_MS = 3_600_000;

let setting: Setting;
beforeEach(async () => {
  setting = await startSetting();
});
afterEach(() => setting.close());

describe('a video by its URL', () => {
  it('is described without being downloaded, and without asking the API', async () => {
    const key = setting.files.url('/czjl/output.mp4');

    const info = await setting.store.head(key);

    expect(info).toMatchObject({
      key,
      size: VIDEO.length,
      contentType: 'video/mp4',
      etag: `"${MD5}"`,
      checksums: { md5: MD5 },
      metadata: {},
    });
    expect(info.lastModified).toBeInstanceOf(Date);
    expect(info.expiresAt).toBeUndefined();
    expect(setting.files.requests).toMatchObject([{ method: 'GET', range: 'bytes=0-0' }]);
    expect(setting.api.requests).toEqual([]);
  });

  it('is read whole', async () => {
    const opened = await setting.store.open(setting.files.url('/czjl/output.mp4'));

    expect((await buffer(opened.body)).equals(VIDEO)).toBe(true);
    expect(opened.size).toBe(VIDEO.length);
    expect(opened.range).toBeUndefined();
  });

  it.each([
    { range: { start: 0, end: 0 }, served: { start: 0, end: 0 } },
    { range: { start: 100, end: 199 }, served: { start: 100, end: 199 } },
    { range: { start: 200_000 }, served: { start: 200_000, end: VIDEO.length - 1 } },
    { range: { start: 10, end: 10_000_000 }, served: { start: 10, end: VIDEO.length - 1 } },
    { range: { suffix: 5 }, served: { start: VIDEO.length - 5, end: VIDEO.length - 1 } },
  ])('is read in the range $range', async ({ range, served }) => {
    const opened = await setting.store.open(setting.files.url('/czjl/output.mp4'), { range });

    expect((await buffer(opened.body)).equals(VIDEO.subarray(served.start, served.end + 1))).toBe(true);
    expect(opened).toMatchObject({ range: served, size: VIDEO.length });
  });

  it.each([{ start: VIDEO.length }, { start: 20, end: 10 }, { suffix: 0 }])(
    'has nothing in the range %j',
    async (range) => {
      const error = await errorOf(() => setting.store.open(setting.files.url('/czjl/output.mp4'), { range }));

      expect(error).toMatchObject({ code: 'RANGE_NOT_SATISFIABLE', storage: 'direct', operation: 'open' });
    },
  );

  it('is described when it is empty', async () => {
    setting.files.replace('/czjl/output.mp4', new Uint8Array());

    expect((await setting.store.head(setting.files.url('/czjl/output.mp4'))).size).toBe(0);
  });

  it('is described although its host knows no ranges', async () => {
    setting.files.fail('/czjl/output.mp4', ['ignore-range', 'ignore-range']);

    expect((await setting.store.head(setting.files.url('/czjl/output.mp4'))).size).toBe(VIDEO.length);
  });

  it('is refused by head when its host does not tell the size', async () => {
    setting.files.fail('/czjl/output.mp4', ['no-length', 'no-length']);

    const error = await errorOf(() => setting.store.head(setting.files.url('/czjl/output.mp4')));

    expect(error.code).toBe('UNSUPPORTED');
  });

  it('is read whole when its host does not tell the size and does not cut it', async () => {
    setting.files.fail('/czjl/output.mp4', ['no-length']);

    const { size, body } = await setting.store.open(setting.files.url('/czjl/output.mp4'));

    expect(size).toBeUndefined();
    expect(Buffer.compare(await buffer(body), Buffer.from(VIDEO))).toBe(0);
  });

  it.each([
    { title: 'whole' },
    { title: 'in a range', range: { start: 5, end: 9 } },
    { title: 'to its end', range: { start: 5 } },
  ])('is read $title while it is the version that was named, and no longer', async ({ range }) => {
    const key = setting.files.url('/czjl/output.mp4');
    const { etag = '' } = await setting.store.head(key);
    const options = { ifMatch: etag, ...(range ? { range } : {}) };
    const same = await setting.store.open(key, options);
    expect((await buffer(same.body)).equals(VIDEO.subarray(range?.start ?? 0, (range?.end ?? VIDEO.length) + 1))).toBe(
      true,
    );

    setting.files.replace('/czjl/output.mp4', Buffer.from(VIDEO).fill(1, 100));

    expect((await errorOf(() => setting.store.open(key, options))).code).toBe('PRECONDITION_FAILED');
  });

  it.each(['W/"weak"', 'unquoted', '"other"'])('is not the version %s', async (ifMatch) => {
    const error = await errorOf(() => setting.store.open(setting.files.url('/czjl/output.mp4'), { ifMatch }));

    expect(error.code).toBe('PRECONDITION_FAILED');
  });

  it('is not asked for when the caller has aborted', async () => {
    const signal = AbortSignal.abort(new Error('enough'));
    const key = setting.files.url('/czjl/output.mp4');
    const { store } = setting;

    for (const call of [store.head(key, { signal }), store.open(key, { signal }), store.resolveUrl(key, { signal })]) {
      expect((await errorOf(() => call)).code).toBe('ABORTED');
    }
    expect(setting.files.requests).toEqual([]);
  });

  it('is not taken whole for the range that was asked for', async () => {
    const key = setting.files.url('/czjl/output.mp4');
    for (const range of [{ start: 5 }, { start: 0, end: 9 }]) {
      setting.files.fail('/czjl/output.mp4', ['ignore-range']);

      expect((await errorOf(() => setting.store.open(key, { range }))).code).toBe('RANGE_IGNORED');
    }
  });

  it('fails in the body, as a StorageError, when the host closes half way', async () => {
    setting.files.fail('/czjl/output.mp4', ['cut']);
    const opened = await setting.store.open(setting.files.url('/czjl/output.mp4'));

    const error = await errorOf(() => buffer(opened.body));

    expect(error).toMatchObject({ scope: 'source', storage: 'direct', operation: 'open', retry: 'safe' });
  });

  it('lets go of a host that stalls as soon as the caller does', async () => {
    setting.files.fail('/czjl/output.mp4', ['stall']);
    const key = setting.files.url('/czjl/output.mp4');
    const abort = new AbortController();
    const aborted = await setting.store.open(key, { signal: abort.signal });
    const reading = errorOf(() => buffer(aborted.body));
    await new Promise((resolve) => setTimeout(resolve, 50));

    abort.abort();

    expect(await reading).toMatchObject({ code: 'ABORTED', operation: 'open' });
  });

  it.each([403, 404, 410])('is expired when its host answers %d', async (status) => {
    setting.files.fail('/czjl/output.mp4', [status, status]);
    const key = setting.files.url('/czjl/output.mp4');

    for (const call of [() => setting.store.head(key), () => setting.store.open(key)]) {
      const error = await errorOf(call);

      expect(error).toMatchObject({ code: 'SOURCE_EXPIRED', scope: 'source', httpStatus: status, retry: 'never' });
      expect(error.message).toContain('60 minutes');
      expect(error.message.match(/HTTP \d+/g)).toEqual([`HTTP ${status}`]);
      expect(error.message).not.toContain('..');
    }
  });

  it.each([
    { answer: 503, code: 'UNAVAILABLE' },
    { answer: { status: 429, headers: { 'retry-after': '7' } }, code: 'RATE_LIMITED', retryAfterMs: 7000 },
    { answer: 'reset' as const, code: 'NETWORK' },
  ])('is not called expired when its host has trouble ($code)', async ({ answer, code, retryAfterMs }) => {
    setting.files.fail('/czjl/output.mp4', [answer]);

    const error = await errorOf(() => setting.store.open(setting.files.url('/czjl/output.mp4')));

    expect(error).toMatchObject({ code, scope: 'source' });
    expect(error.retryAfterMs).toBe(retryAfterMs);
  });

  it('needs no token', async () => {
    const store = setting.openWithoutToken();

    expect((await store.head(setting.files.url('/czjl/output.mp4'))).size).toBe(VIDEO.length);
  });

  it.each([
    { url: 'https://evil.example/a.mp4' },
    { url: 'https://replicate.delivery.evil.example/a.mp4' },
    { url: 'https://evilreplicate.delivery/a.mp4' },
    { url: 'https://replicate.delivery:8443/a.mp4' },
    { url: 'https://169.254.169.254/a.mp4' },
    { url: 'https://169.254.169.254/a.mp4', allowedHosts: ['*'] },
    { url: 'https://[::1]/a.mp4', allowedHosts: ['*'] },
  ])('is neither fetched nor given away: $url, allowed hosts $allowedHosts', async ({ url, allowedHosts }) => {
    const store = setting.open(allowedHosts ? { allowedHosts } : {});

    for (const call of [() => store.head(url), () => store.open(url), () => store.resolveUrl(url)]) {
      expect(await errorOf(call)).toMatchObject({ code: 'FORBIDDEN_URL', scope: 'source' });
    }
  });

  it.each(['https://replicate.delivery/a.mp4', 'https://pbxt.replicate.delivery/a.mp4'])(
    'is given away when its host is allowed: %s',
    async (url) => {
      expect((await setting.store.resolveUrl(url)).url).toBe(url);
    },
  );

  it('is never larger than maxBytes', async () => {
    const store = setting.open({ maxBytes: 1000 });

    expect((await errorOf(() => store.open(setting.files.url('/czjl/output.mp4')))).code).toBe('TOO_LARGE');
    expect(store.capabilities.maxObjectBytes).toBe(1000);
  });

  it('is its own URL, unchanged, with the latest possible deadline', async () => {
    const key = 'https://pbxt.replicate.delivery/czjl/a%2520b%22.mp4?x=1';

    const issued = await setting.store.resolveUrl(key, { ttlSeconds: 5 });

    expect(issued).toMatchObject({ url: key, supportsRange: true });
    const remaining = (issued.expiresAt?.getTime() ?? 0) - Date.now();
    expect(remaining).toBeGreaterThan(HOUR_MS - 5_000);
    expect(remaining).toBeLessThanOrEqual(HOUR_MS);
  });
});

describe('a video by its prediction', () => {
  it.each([
    { shape: 'a string', output: (url: string) => url },
    { shape: 'an array', output: (url: string) => [url] },
    { shape: 'an object', output: (url: string) => ({ model_file: `${url}.glb`, color_video: url }) },
    { shape: 'an array of objects', output: (url: string) => [{ file: url }] },
  ])('is read when the output is $shape', async ({ output }) => {
    setting.succeed(output(setting.files.url('/czjl/output.mp4')));

    const opened = await setting.store.open(ID);

    expect((await buffer(opened.body)).equals(VIDEO)).toBe(true);
    expect(opened.key).toBe(ID);
  });

  it('has its deadline an hour after the creation, in head, open and resolveUrl', async () => {
    const url = setting.files.url('/czjl/output.mp4');
    const created = setting.succeed(url);
    const deadline = new Date(created.getTime() + HOUR_MS);

    const info = await setting.store.head(ID);
    const opened = await setting.store.open(ID);
    const issued = await setting.store.resolveUrl(ID, { ttlSeconds: 5 });

    opened.body.destroy();
    expect(info.expiresAt).toEqual(deadline);
    expect(opened.expiresAt).toEqual(deadline);
    expect(issued).toEqual({ url, expiresAt: deadline, supportsRange: true });
  });

  it('is asked for once, however often it is read', async () => {
    setting.succeed(setting.files.url('/czjl/output.mp4'));

    for (let start = 0; start < 5; start += 1) {
      await buffer((await setting.store.open(ID, { range: { start, end: start } })).body);
    }

    expect(setting.api.requests).toHaveLength(1);
  });

  it('is asked for again when its deadline has passed', async () => {
    const store = setting.open({ retentionMinutes: 0.001 });
    setting.succeed(setting.files.url('/czjl/output.mp4'));
    await store.head(ID);
    await new Promise((resolve) => setTimeout(resolve, 70));

    await store.head(ID);

    expect(setting.api.requests).toHaveLength(2);
  });

  it('is found again where it is now when its first URL is dead', async () => {
    setting.succeed(setting.files.url('/czjl/output.mp4'));
    await setting.store.head(ID);
    setting.files.expire('/czjl/output.mp4');
    setting.succeed(setting.files.url('/czjl/second.mp4'));

    const opened = await setting.store.open(ID);

    expect((await buffer(opened.body)).equals(VIDEO)).toBe(true);
  });

  it('is given up after one more question when the URL stays dead', async () => {
    setting.succeed(setting.files.url('/czjl/output.mp4'));
    setting.files.expire('/czjl/output.mp4');

    const error = await errorOf(() => setting.store.open(ID));

    expect(error).toMatchObject({ code: 'SOURCE_EXPIRED', key: ID, httpStatus: 404 });
    expect(setting.api.requests).toHaveLength(2);
    expect(setting.files.requests).toHaveLength(2);
  });

  it('is expired when the refreshed prediction says that its data was removed', async () => {
    setting.succeed(setting.files.url('/czjl/output.mp4'));
    await setting.store.head(ID);
    setting.files.expire('/czjl/output.mp4');
    setting.succeed(null, { input: {}, data_removed: true });

    const error = await errorOf(() => setting.store.head(ID));

    expect(error).toMatchObject({ code: 'SOURCE_EXPIRED', storage: 'direct', operation: 'head', key: ID });
    expect(error.message).toContain('removed');
    const asked = setting.files.requests.length;
    await errorOf(() => setting.store.head(ID));
    expect(setting.files.requests).toHaveLength(asked);
  });

  it('is not called expired when the API cannot say where it is now', async () => {
    setting.succeed(setting.files.url('/czjl/output.mp4'));
    await setting.store.head(ID);
    setting.files.expire('/czjl/output.mp4');
    setting.api.answerNext({ status: 503 });

    expect((await errorOf(() => setting.store.head(ID))).code).toBe('UNAVAILABLE');
  });

  it('is not ready while the prediction runs, and read once it is done', async () => {
    setting.succeed(null, { status: 'processing' });
    expect(await errorOf(() => setting.store.open(ID))).toMatchObject({ code: 'SOURCE_NOT_READY', retry: 'after' });

    setting.succeed(setting.files.url('/czjl/output.mp4'));

    expect((await setting.store.head(ID)).size).toBe(VIDEO.length);
  });

  it('is not fetched from a host that is not allowed, whatever the prediction says', async () => {
    for (const url of [
      'https://evil.example/a.mp4',
      'http://replicate.delivery/a.mp4',
      'https://169.254.169.254/a.mp4',
    ]) {
      setting.succeed(url);
      const store = setting.open();

      expect((await errorOf(() => store.open(ID))).code).toBe('FORBIDDEN_URL');
      expect((await errorOf(() => store.resolveUrl(ID))).code).toBe('FORBIDDEN_URL');
    }
  });
});

describe('a video that the prediction carries in itself', () => {
  const dataUrl = (bytes: Uint8Array, head = 'data:video/mp4;base64,') => head + Buffer.from(bytes).toString('base64');

  it('is described and read, in ranges too', async () => {
    const created = setting.succeed([dataUrl(VIDEO)]);

    const info = await setting.store.head(ID);
    const whole = await setting.store.open(ID, { ifMatch: info.etag ?? '' });
    const part = await setting.store.open(ID, { range: { suffix: 7 } });

    expect(info).toMatchObject({ key: ID, size: VIDEO.length, contentType: 'video/mp4', checksums: { md5: MD5 } });
    expect(info.expiresAt).toEqual(new Date(created.getTime() + HOUR_MS));
    expect((await buffer(whole.body)).equals(VIDEO)).toBe(true);
    expect(part.range).toEqual({ start: VIDEO.length - 7, end: VIDEO.length - 1 });
    expect((await buffer(part.body)).equals(VIDEO.subarray(-7))).toBe(true);
    expect(setting.files.requests).toEqual([]);
  });

  it('is not read as another version', async () => {
    setting.succeed(dataUrl(VIDEO));

    const error = await errorOf(() => setting.store.open(ID, { ifMatch: '"other"' }));

    expect(error.code).toBe('PRECONDITION_FAILED');
  });

  it('has no URL', async () => {
    setting.succeed(dataUrl(VIDEO));

    expect((await errorOf(() => setting.store.resolveUrl(ID))).code).toBe('UNSUPPORTED');
  });

  it('may have 10 MB and no more', async () => {
    setting.succeed(dataUrl(new Uint8Array(10_000_000)));
    expect((await setting.store.head(ID)).size).toBe(10_000_000);

    setting.succeed(dataUrl(new Uint8Array(10_000_003)));

    expect((await errorOf(() => setting.store.head(ID))).code).toBe('TOO_LARGE');
  });

  it.each(['data:image/png;base64,', 'data:video/mp4,', 'data:,'])('is not what %s starts', async (head) => {
    setting.succeed(dataUrl(VIDEO, head));

    expect((await errorOf(() => setting.store.open(ID))).code).toBe('UNSUPPORTED');
  });
});
