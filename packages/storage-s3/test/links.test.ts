import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { S3Credentials, S3Storage, S3StorageOptions } from '../src/index.ts';
import { type AwsLikeServer, awsLikeServer, errorOf } from './aws-like-server.ts';
import { bodyOf, keysOf } from './bodies.ts';
import { describeOnCeph } from './on-ceph.ts';
import { fauxqs, type TestServer } from './servers.ts';

let server: TestServer;
let aws: AwsLikeServer;
let bucket: string;

beforeAll(async () => {
  server = await fauxqs();
  aws = await awsLikeServer(server);
  bucket = await server.bucket();
}, 60_000);
beforeEach(() => void aws.requests.splice(0));
afterAll(async () => {
  await aws.close();
  await server.stop();
});

const storeOf = (options: Partial<S3StorageOptions>): Promise<S3Storage> =>
  server.store({ bucket, endpoint: aws.endpoint, requestChecksumCalculation: 'WHEN_REQUIRED', ...options });

const temporary = (secondsLeft: number, token = 'token'): S3Credentials => ({
  ...{ accessKeyId: 'ASIATEMPORARY', secretAccessKey: 'secret', sessionToken: token },
  expiration: new Date(Date.now() + secondsLeft * 1000),
});

const secondsOf = (date: Date | null): number => Math.round(((date?.getTime() ?? NaN) - Date.now()) / 1000);

describe('a link', () => {
  it('carries a signature, and no checksum that a player would have to know', async () => {
    const store = await storeOf({ requestChecksumCalculation: 'WHEN_SUPPORTED' });

    const { url } = await store.resolveUrl('a b/film.mp4', { ttlSeconds: 60 });

    const { pathname, searchParams } = new URL(url);
    expect(pathname).toBe(`/${bucket}/a%20b/film.mp4`);
    expect(searchParams.get('X-Amz-Expires')).toBe('60');
    expect(searchParams.get('X-Amz-SignedHeaders')).toBe('host');
    expect([...searchParams.keys()].filter((name) => /checksum|sdk/i.test(name))).toEqual([]);
    expect(aws.requests).toEqual([]);
  });

  it('lives fifteen minutes when nothing is said, and seven days at most', async () => {
    const store = await storeOf({});

    expect(secondsOf((await store.resolveUrl('a')).expiresAt)).toBeCloseTo(900, -1);
    const { url, expiresAt } = await store.resolveUrl('a', { ttlSeconds: 10_000_000 });

    expect(secondsOf(expiresAt)).toBeCloseTo(604_800, -1);
    expect(new URL(url).searchParams.get('X-Amz-Expires')).toBe('604800');
  });

  it('ends with the credentials that sign it, and says so', async () => {
    const store = await storeOf({ credentials: () => Promise.resolve(temporary(400)) });

    const { url, expiresAt } = await store.resolveUrl('a', { ttlSeconds: 3600 });

    expect(secondsOf(expiresAt)).toBeLessThanOrEqual(400);
    expect(secondsOf(expiresAt)).toBeGreaterThan(395);
    expect(new URL(url).searchParams.get('X-Amz-Security-Token')).toBe('token');
    expect(Number(new URL(url).searchParams.get('X-Amz-Expires'))).toBeLessThanOrEqual(400);
  });

  it('is not made with keys that have expired', async () => {
    const store = await storeOf({ credentials: temporary(-10) });

    await expect(store.resolveUrl('a')).rejects.toMatchObject({ code: 'UNAUTHENTICATED', operation: 'resolveUrl' });
  });

  it("is dated by the server's clock where this machine's is wrong", async () => {
    const store = await storeOf({});
    const twoHoursAhead = new Date(Date.now() + 7_200_000);
    const skewed = errorOf(403, 'RequestTimeTooSkewed');
    const headers = { date: twoHoursAhead.toUTCString() };
    aws.answer(/GET .*list-type/, { ...skewed, headers });
    aws.answer(/GET .*list-type/, { status: 200, headers, body: '<ListBucketResult></ListBucketResult>' });

    // the SDK corrects itself, and asks again
    expect(await keysOf(store)).toEqual([]);

    const { url, expiresAt } = await store.resolveUrl('a');
    const dated = new URL(url).searchParams.get('X-Amz-Date') ?? '';
    const stamp = Date.parse(dated.replace(/(....)(..)(..)T(..)(..)(..)Z/, '$1-$2-$3T$4:$5:$6Z'));
    expect(Math.abs(stamp - twoHoursAhead.getTime())).toBeLessThan(10_000);
    expect(secondsOf(expiresAt)).toBeCloseTo(900, -1);
  });
});

describe('temporary credentials', () => {
  it('go with their token, and are asked for once for all three kinds of requests', async () => {
    let asked = 0;
    const store = await storeOf({
      credentials: () => {
        asked += 1;
        return Promise.resolve(temporary(3600));
      },
    });

    await store.put('film', bodyOf('bytes'));
    (await store.open('film')).body.destroy();
    await store.delete('film');

    expect(asked).toBe(1);
    expect(aws.requests.map(({ headers }) => headers['x-amz-security-token'])).toEqual(Array(4).fill('token'));
  });

  it('are asked for again when they are about to end', async () => {
    const given = [temporary(2, 'first'), temporary(3600, 'second')];
    const store = await storeOf({ credentials: () => Promise.resolve(given.shift() ?? temporary(0)) });
    await store.put('film', bodyOf('bytes'));
    aws.requests.length = 0;

    await store.head('film');

    expect(aws.requests[0]?.headers['x-amz-security-token']).toBe('second');
  });

  it('that cannot be had say so: no request is sent', async () => {
    const store = await storeOf({
      credentials: () => Promise.reject(Object.assign(new Error('no role'), { name: 'CredentialsProviderError' })),
    });

    await expect(store.head('film')).rejects.toMatchObject({ code: 'UNAUTHENTICATED', storage: 's3' });
    await expect(store.head('film')).rejects.toThrow('no role');
    expect(aws.requests).toEqual([]);
  });

  it.each([
    { title: 'fails', give: () => Promise.reject(new Error('the vault is down')), says: 'the vault is down' },
    {
      title: 'is refused by STS',
      give: () => Promise.reject(Object.assign(new Error('no AssumeRole'), { name: 'AccessDenied' })),
      says: 'no AssumeRole',
    },
    {
      title: 'gives half a key',
      give: () => Promise.resolve({ accessKeyId: 'AKIA' } as S3Credentials),
      says: 'gave no accessKeyId or no secretAccessKey',
    },
  ])('whose function $title are the fault of nobody else', async ({ give, says }) => {
    const store = await storeOf({ credentials: give });

    const head = store.head('film');

    await expect(head).rejects.toMatchObject({ code: 'UNAUTHENTICATED', committed: 'no' });
    await expect(head).rejects.toThrow(says);
  });
});

describeOnCeph('a link', (ceph) => {
  it('of an odd key below a prefix gives its object with its content type, and ends when it says', async () => {
    const store = await ceph().store({ prefix: 'p q' });
    const key = "odd/a b+c%20d?e=f#g&h;'(é)!*.mp4";
    await store.put(key, bodyOf('bytes'), { contentType: 'video/mp4' });

    const { url, expiresAt } = await store.resolveUrl(key, { ttlSeconds: 2 });
    const answer = await fetch(url);
    expect([answer.status, answer.headers.get('content-type'), await answer.text()]).toEqual([
      200,
      'video/mp4',
      'bytes',
    ]);

    await new Promise((later) => setTimeout(later, (expiresAt?.getTime() ?? 0) - Date.now() + 1100));
    expect((await fetch(url)).status).toBe(403);
  });

  it('is good for reading only', async () => {
    const store = await ceph().store();
    await store.put('film', bodyOf('bytes'));

    const { url } = await store.resolveUrl('film');

    expect((await fetch(url, { method: 'PUT', body: 'other' })).status).toBe(403);
    expect((await fetch(url, { method: 'DELETE' })).status).toBe(403);
  });
});
