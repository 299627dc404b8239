import { setTimeout as sleep } from 'node:timers/promises';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type FaultProxy, startFaultProxy } from '@paradoxon/storage-testing';
import type { S3Storage, S3StorageOptions } from '../src/index.ts';
import { type AwsLikeServer, awsLikeServer, errorOf } from './aws-like-server.ts';
import { bodyOf, chunksOf, read, someBytes } from './bodies.ts';
import { describeOnCeph } from './on-ceph.ts';
import { fauxqs, MiB, type TestServer } from './servers.ts';

let server: TestServer;
let proxy: FaultProxy;

beforeAll(async () => {
  server = await fauxqs();
  proxy = await startFaultProxy({ host: '127.0.0.1', port: server.emulator.port });
}, 60_000);
afterAll(async () => {
  await proxy.close();
  await server.stop();
});

/** A store behind the proxy, and what is in its bucket. */
async function given(
  options: Partial<S3StorageOptions> = {},
): Promise<{ store: S3Storage; inside: () => Promise<string[]> }> {
  proxy.heal();
  const bucket = await server.bucket();
  const store = await server.store({ bucket, endpoint: proxy.url(''), ...options });
  return { store, inside: () => server.inventory(bucket) };
}

describe('what SDKs get wrong, left alone', () => {
  it('a source that ends short, behind whole parts, is no success and leaves no upload', async () => {
    const { store, inside } = await given();
    const body = { size: 12 * MiB, chunks: chunksOf(someBytes(10.5 * MiB)) };

    await expect(store.put('film', body)).rejects.toMatchObject({ code: 'SOURCE_TRUNCATED', scope: 'source' });

    expect(await inside()).toEqual([]);
  });

  it('an abort while the source stalls, behind whole parts, settles at once and cancels the upload', async () => {
    const { store, inside } = await given();
    const controller = new AbortController();
    let closed = false;
    const stalling = new Readable({
      highWaterMark: MiB,
      read() {
        if (this.readableFlowing !== null) return;
      },
      destroy(error, done) {
        closed = true;
        done(error);
      },
    });
    stalling.push(someBytes(6 * MiB));
    const put = store.put('film', { size: 12 * MiB, chunks: stalling }, { signal: controller.signal });
    await sleep(100);
    const begun = Date.now();
    controller.abort();

    await expect(put).rejects.toMatchObject({ code: 'ABORTED', storage: 's3', operation: 'put', committed: 'no' });
    expect(Date.now() - begun).toBeLessThan(1000);
    expect(closed).toBe(true);
    expect(await inside()).toEqual([]);
  });

  it('a source that is destroyed without an error settles', async () => {
    const { store, inside } = await given();
    const source = new Readable({ read: () => undefined });
    source.push(someBytes(1000));
    setTimeout(() => source.destroy(), 20);

    await expect(store.put('film', { size: 2000, chunks: source })).rejects.toThrow();

    expect(await inside()).toEqual([]);
  });

  it.each([{ size: 0 }, {}])('an empty source is an empty object (%j)', async (known) => {
    const { store } = await given();

    const stored = await store.put('empty', { ...known, chunks: Readable.from([]) });

    expect(stored.size).toBe(0);
    expect(await read(store, 'empty')).toHaveLength(0);
  });

  it('an abort with the last request in flight says that nobody knows, and stops sending', async () => {
    const { store } = await given();
    proxy.inject({ latencyMs: 300 });
    const controller = new AbortController();
    const put = store.put('film', bodyOf('bytes'), { signal: controller.signal });
    setTimeout(() => controller.abort(), 100);

    await expect(put).rejects.toMatchObject({ code: 'ABORTED', committed: 'unknown', scope: 'local' });
  });
});

describe('a connection that breaks', () => {
  it.each([1, 2, 3])('while part %i of 4 is under way is made good by that part alone', async (part) => {
    const { store, inside } = await given({ uploadConcurrency: 1 });
    const bytes = someBytes(16 * MiB);
    proxy.inject({ latencyMs: 150 });
    async function* chunks(): AsyncGenerator<Buffer> {
      for (let at = 0; at <= 4; at += 1) {
        // one chunk, or the end, is asked for before a part is sent: only then is it known whether it is the last
        if (at === part + 1) {
          await sleep(70);
          proxy.cutAll();
        }
        if (at < 4) yield bytes.subarray(at * 5 * MiB, (at + 1) * 5 * MiB);
      }
    }
    const before = proxy.connections;

    await store.put('film', { size: bytes.byteLength, chunks: chunks() });

    expect(proxy.connections - before).toBe(4);
    expect((await read(store, 'film')).equals(bytes)).toBe(true);
    expect(await inside()).toEqual(['film']);
  });

  it('in the request that begins an upload leaves nothing but an empty upload to be swept', async () => {
    const { store, inside } = await given();
    proxy.inject({ resetAfterBytes: 0 }, 1);

    await store.put('film', bodyOf(someBytes(6 * MiB)));

    // its id was in the answer that was lost
    expect(await inside()).toEqual(['film', 'upload of film']);
  });

  it('of a server that is gone leaves nothing that looks whole, and says so', async () => {
    const { store, inside } = await given();
    const bytes = someBytes(11 * MiB);
    async function* chunks(): AsyncGenerator<Buffer> {
      yield bytes.subarray(0, 6 * MiB);
      await sleep(50);
      proxy.inject({ down: true });
      yield bytes.subarray(6 * MiB);
    }

    await expect(store.put('film', { size: bytes.byteLength, chunks: chunks() })).rejects.toMatchObject({
      code: 'NETWORK',
      retry: 'safe',
      committed: 'no',
    });

    proxy.heal();
    expect(await inside()).toEqual(['upload of film']);
    await store.put('film', bodyOf(bytes));
    expect((await read(store, 'film')).equals(bytes)).toBe(true);
  });

  it('with the answer to the last request leaves it open whether the object is there', async () => {
    const { store, inside } = await given();
    proxy.inject({ resetAfterBytes: 0 });

    await expect(store.put('film', bodyOf('bytes'))).rejects.toMatchObject({ code: 'NETWORK', committed: 'unknown' });

    expect(await inside()).toEqual(['film']);
  });
});

describe('many uploads to a slow server', () => {
  it('hold no more parts than the options say', async () => {
    const bytes = someBytes(5 * MiB);
    let pulled = 0;
    let stored = 0;
    let most = 0;
    async function* chunks(): AsyncGenerator<Buffer> {
      for (let part = 0; part < 4; part += 1) {
        await Promise.resolve();
        pulled += 1;
        most = Math.max(most, pulled - stored);
        yield bytes;
      }
    }
    const slow = await awsLikeServer(server);
    const { store } = await given({ endpoint: slow.endpoint, uploadConcurrency: 2 });
    const watch = setInterval(() => {
      stored = slow.requests.filter(({ url }) => url.includes('partNumber')).length;
    }, 1);

    await Promise.all(['a', 'b', 'c'].map((key) => store.put(key, { size: 20 * MiB, chunks: chunks() })));

    clearInterval(watch);
    await slow.close();
    expect(slow.requests.filter(({ url }) => url.includes('partNumber'))).toHaveLength(12);
    // three puts and two more buffers, and for each put one chunk that is being looked at
    expect(most).toBeLessThanOrEqual(3 + 2 + 3);
  });
});

describe('what the server says afterwards', () => {
  let aws: AwsLikeServer;
  beforeAll(async () => {
    aws = await awsLikeServer(server);
  });
  afterAll(() => aws.close());

  it('a size that differs is no success, and the object is taken away', async () => {
    const { store, inside } = await given({ endpoint: aws.endpoint });
    const { etag = '' } = await store.put('film', bodyOf('bytes'));
    aws.answer(/HEAD/, { status: 200, headers: { etag, 'x-amz-meta-a': 'b' } });

    await expect(store.put('film', bodyOf('bytes'))).rejects.toMatchObject({
      code: 'CHECKSUM_MISMATCH',
      committed: 'no',
    });

    expect(await inside()).toEqual([]);
  });

  it('an object that differs and may not be taken away is told as what it is, and that it is there', async () => {
    const { store, inside } = await given({ endpoint: aws.endpoint });
    const { etag = '' } = await store.put('film', bodyOf('bytes'));
    aws.answer(/HEAD/, { status: 200, headers: { etag } }, 2);
    aws.answer(/DELETE/, errorOf(403, 'AccessDenied'));

    const put = store.put('film', bodyOf('bytes'));

    await expect(put).rejects.toMatchObject({ code: 'CHECKSUM_MISMATCH', committed: 'yes' });
    await expect(put).rejects.toThrow('delete it');
    expect(await inside()).toEqual(['film']);
  });

  it('an object that cannot be told from that of somebody else is left alone', async () => {
    const { store, inside } = await given({ endpoint: aws.endpoint });
    await store.put('film', bodyOf('bytes of somebody else'));
    aws.answer(/PUT/, { status: 200 });

    await expect(store.put('film', bodyOf('bytes'))).rejects.toMatchObject({
      code: 'CHECKSUM_MISMATCH',
      committed: 'unknown',
    });

    expect(await inside()).toEqual(['film']);
  });

  it('an object of somebody else that has taken its place meanwhile is left alone', async () => {
    const { store, inside } = await given({ endpoint: aws.endpoint });
    aws.answer(/HEAD/, { status: 200, headers: { etag: '"newer"', 'content-length': '0' } });

    const stored = await store.put('film', bodyOf('bytes'), { metadata: { a: 'b' } });

    expect(stored).toMatchObject({ size: 5, metadata: { a: 'b' } });
    expect(stored.etag).not.toBe('"newer"');
    expect(await inside()).toEqual(['film']);
  });

  it('a server that confirms an object and has none is not believed', async () => {
    const { store } = await given({ endpoint: aws.endpoint });
    aws.answer(/PUT/, { status: 200, headers: { etag: '"lost"' } });

    const put = store.put('film', bodyOf('bytes'));

    await expect(put).rejects.toMatchObject({ code: 'UNAVAILABLE', committed: 'unknown', retry: 'safe' });
    await expect(put).rejects.toThrow('says now that there is none');
  });

  it('a key that may write but not look says that the object is written', async () => {
    const { store, inside } = await given({ endpoint: aws.endpoint });
    aws.answer(/HEAD/, errorOf(403, 'AccessDenied'));

    const put = store.put('film', bodyOf('bytes'));

    await expect(put).rejects.toMatchObject({ code: 'PERMISSION_DENIED', committed: 'yes' });
    await expect(put).rejects.toThrow('s3:GetObject');
    expect(await inside()).toEqual(['film']);
  });

  it('a create-only write whose own lost answer stands in its way does not claim that nothing was written', async () => {
    const { store } = await given({ endpoint: aws.endpoint, conditionalWrites: true });
    const between = await startFaultProxy({ host: '127.0.0.1', port: Number(new URL(aws.endpoint).port) });
    const bucket = store.locate('film').slice('s3://'.length, -'/film'.length);
    const behind = await server.store({ bucket, endpoint: between.url(''), conditionalWrites: true });
    between.inject({ resetAfterBytes: 0 }, 1);

    await expect(behind.put('film', bodyOf('bytes'), { ifAbsent: true })).rejects.toMatchObject({
      code: 'ALREADY_EXISTS',
      committed: 'unknown',
    });

    await between.close();
  });
});

describe('a body of unknown size', () => {
  it('is stored in parts', async () => {
    const { store } = await given();
    const bytes = someBytes(6 * MiB);

    expect((await store.put('film', { chunks: chunksOf(bytes) })).size).toBe(bytes.byteLength);
  });
});

describeOnCeph('uploads', (ceph) => {
  it('of two writers who create one large object, the second is told, and no part is left', async () => {
    const bucket = await ceph().bucket();
    const store = await ceph().store({ bucket });
    const bytes = someBytes(6 * MiB);
    async function* slowly(): AsyncGenerator<Buffer> {
      yield bytes.subarray(0, 5.5 * MiB);
      await store.put('film', bodyOf('the winner'), { ifAbsent: true });
      yield bytes.subarray(5.5 * MiB);
    }

    const late = store.put('film', { size: bytes.byteLength, chunks: slowly() }, { ifAbsent: true });

    await expect(late).rejects.toMatchObject({ code: 'ALREADY_EXISTS' });
    expect((await read(store, 'film')).toString()).toBe('the winner');
    expect(await ceph().inventory(bucket)).toEqual(['film']);
  });

  it('with a broken connection in the middle are whole, and leave no part behind', async () => {
    const between = await startFaultProxy({ host: '127.0.0.1', port: ceph().emulator.port });
    const bucket = await ceph().bucket();
    const store = await ceph().store({ bucket, endpoint: between.url('') });
    const bytes = someBytes(16 * MiB);
    // every answer takes a while, so that parts are under way when the connections break
    between.inject({ latencyMs: 200 });
    async function* chunks(): AsyncGenerator<Buffer> {
      yield* chunksOf(bytes.subarray(0, 15 * MiB), MiB);
      await sleep(100);
      between.cutAll();
      yield bytes.subarray(15 * MiB);
    }
    const before = between.connections;

    await store.put('film', { size: bytes.byteLength, chunks: chunks() });

    // one to begin, one for each of four parts, and new ones for those that broke
    expect(between.connections - before).toBeGreaterThan(5);
    expect((await read(store, 'film')).equals(bytes)).toBe(true);
    expect(await ceph().inventory(bucket)).toEqual(['film']);
    await store.close();
    await between.close();
  });
});
