import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { S3Storage, S3StorageOptions } from '../src/index.ts';
import { type AwsLikeServer, awsLikeServer, base64Of, type SeenRequest } from './aws-like-server.ts';
import { bodyOf, someBytes } from './bodies.ts';
import { fauxqs, MiB, type TestServer } from './servers.ts';

let server: TestServer;
let aws: AwsLikeServer;

beforeAll(async () => {
  server = await fauxqs();
  aws = await awsLikeServer(server);
}, 60_000);
beforeEach(() => void aws.requests.splice(0));
afterAll(async () => {
  await aws.close();
  await server.stop();
});

const awsDefaults = { requestChecksumCalculation: 'WHEN_SUPPORTED', conditionalWrites: true } as const;
const storeOf = (options: Partial<S3StorageOptions> = {}): Promise<S3Storage> =>
  server.store({ endpoint: aws.endpoint, ...awsDefaults, ...options });

/** What was asked, without the path. */
const asked = (query: RegExp, method: string): SeenRequest[] =>
  aws.requests.filter((request) => request.method === method && query.test(request.url));

const only = (requests: SeenRequest[]): SeenRequest => {
  expect(requests).toHaveLength(1);
  return requests[0] as SeenRequest;
};

const checksumHeaders = ({ headers }: SeenRequest): string[] =>
  Object.keys(headers).filter((name) => /checksum|trailer|content-md5|decoded|expect|content-encoding/.test(name));

describe('where CRC32C is supported', () => {
  it('a small object goes in one request with our CRC32C, which nobody computes again', async () => {
    const bytes = someBytes(100_000);
    const store = await storeOf();

    const stored = await store.put('one', bodyOf(bytes));

    const put = only(asked(/one/, 'PUT'));
    expect(put.headers['x-amz-checksum-crc32c']).toBe(base64Of(bytes));
    expect(checksumHeaders(put)).toEqual(['x-amz-checksum-crc32c']);
    expect(put.body.equals(bytes)).toBe(true);
    // over plain http the bytes are signed as well
    expect(put.headers['x-amz-content-sha256']).toBe(createHash('sha256').update(bytes).digest('hex'));
    expect(Buffer.from(stored.checksums.crc32c ?? '', 'hex').toString('base64')).toBe(base64Of(bytes));
  });

  it("the giver's own checksum is sent, so that the server compares with what was read", async () => {
    const store = await storeOf();
    const body = { ...bodyOf('right'), checksums: () => ({ crc32c: '00000000' }) };

    const put = store.put('wrong', body);

    await expect(put).rejects.toMatchObject({ code: 'CHECKSUM_MISMATCH', storage: 's3', committed: 'no' });
    expect(only(asked(/wrong/, 'PUT')).headers['x-amz-checksum-crc32c']).toBe('AAAAAA==');
    await expect(store.head('wrong')).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it.each(['with', 'without'])(
    'a large object goes in parts, each and all with CRC32C, %s that of its giver',
    async (own) => {
      const bytes = someBytes(11 * MiB + 5);
      const crc32c = Buffer.from(base64Of(bytes), 'base64').toString('hex');
      const store = await storeOf();

      const stored = await store.put('large', {
        ...bodyOf(bytes),
        ...(own === 'with' ? { checksums: () => ({ crc32c }) } : {}),
      });

      const begun = only(asked(/uploads/, 'POST'));
      expect(begun.headers).toMatchObject({
        'x-amz-checksum-algorithm': 'CRC32C',
        'x-amz-checksum-type': 'FULL_OBJECT',
      });
      const parts = asked(/partNumber/, 'PUT');
      expect(parts.map(({ body }) => body.byteLength).sort()).toEqual([MiB + 5, 5 * MiB, 5 * MiB]);
      for (const part of parts) {
        expect(checksumHeaders(part)).toEqual(['x-amz-checksum-crc32c']);
        expect(part.headers['x-amz-checksum-crc32c']).toBe(base64Of(part.body));
      }
      const completed = only(asked(/uploadId/, 'POST'));
      expect(completed.headers).toMatchObject({
        'x-amz-checksum-crc32c': base64Of(bytes),
        'x-amz-checksum-type': 'FULL_OBJECT',
      });
      expect(completed.body.toString().match(/<ChecksumCRC32C>/g)).toHaveLength(3);
      expect(stored).toMatchObject({ size: bytes.byteLength, checksums: { crc32c } });
    },
  );

  it('a part that arrives broken is refused, and the whole put with it', async () => {
    const store = await storeOf();
    const bytes = someBytes(6 * MiB);
    // the memory changes behind our back between hashing and sending: seen from the server, bytes and checksum differ
    const body = { ...bodyOf(bytes), checksums: () => ({ crc32c: '12345678' }) };

    await expect(store.put('broken', body)).rejects.toMatchObject({ code: 'CHECKSUM_MISMATCH' });

    expect(asked(/uploadId/, 'DELETE')).toHaveLength(1);
    await expect(store.head('broken')).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('head and open ask for the checksum of the whole object, and a range does not', async () => {
    const store = await storeOf();
    await store.put('asked', bodyOf('some bytes'));
    aws.requests.length = 0;

    await store.head('asked');
    (await store.open('asked')).body.destroy();
    (await store.open('asked', { range: { start: 1, end: 2 } })).body.destroy();

    const modes = aws.requests.map(({ method, headers }) => [method, headers['x-amz-checksum-mode']]);
    expect(aws.requests.flatMap(checksumHeaders)).toEqual(['x-amz-checksum-mode', 'x-amz-checksum-mode']);
    expect(modes).toEqual([
      ['HEAD', 'ENABLED'],
      ['GET', 'ENABLED'],
      ['GET', undefined],
    ]);
  });

  it('the checksum of the parts of an object is not taken for that of the object', async () => {
    const store = await storeOf();
    await store.put('parts', bodyOf('some bytes'));
    for (const composite of [
      { 'x-amz-checksum-crc32c': 'AAAAAA==-3' },
      { 'x-amz-checksum-crc32c': 'AAAAAA==', 'x-amz-checksum-type': 'COMPOSITE' },
    ]) {
      aws.answer(/HEAD .*parts/, { status: 200, headers: { ...composite, etag: '"1"' } });

      expect((await store.head('parts')).checksums).toEqual({});
    }
  });

  it('a server that does not answer with a CRC32C is found out, and the object is taken back', async () => {
    // fauxqs itself
    const store = await server.store({ ...awsDefaults, conditionalWrites: false });

    const put = store.put('unproven', bodyOf('bytes'));

    await expect(put).rejects.toMatchObject({ code: 'UNSUPPORTED', committed: 'no' });
    await expect(put).rejects.toThrow('Set requestChecksumCalculation to WHEN_REQUIRED');
    await expect(store.head('unproven')).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });
});

describe('where checksums are sent only when required', () => {
  it('every request with bytes has Content-MD5, and nothing has an x-amz-checksum', async () => {
    const store = await storeOf({ requestChecksumCalculation: 'WHEN_REQUIRED' });
    const bytes = someBytes(6 * MiB);

    await store.put('small', bodyOf('small'));
    await store.put('large', bodyOf(bytes));
    await store.put('empty', bodyOf(''));
    await store.head('small');

    for (const put of asked(/./, 'PUT')) {
      expect(put.headers['content-md5']).toBe(createHash('md5').update(put.body).digest('base64'));
      expect(checksumHeaders(put)).toEqual(['content-md5']);
    }
    expect(asked(/./, 'PUT')).toHaveLength(4);
    const others = aws.requests.filter(({ method }) => method !== 'PUT');
    expect(others.flatMap(checksumHeaders)).toEqual([]);
    expect((await store.head('small')).checksums).toEqual({});
  });
});

describe('what goes with an object', () => {
  it.each([
    { title: 'in one request', size: 10 },
    { title: 'in parts', size: 6 * MiB },
  ])('arrives $title: type, cache control, metadata, storage class', async ({ size }) => {
    const store = await storeOf({ storageClass: 'GLACIER_IR' });

    await store.put('film', bodyOf(someBytes(size)), {
      contentType: 'video/mp4',
      cacheControl: 'private',
      metadata: { scene: '7' },
    });

    const [first] = aws.requests.filter(
      ({ method, url }) => method === 'POST' || (method === 'PUT' && !/part/.test(url)),
    );
    expect(first?.headers).toMatchObject({
      'content-type': 'video/mp4',
      'cache-control': 'private',
      'x-amz-meta-scene': '7',
      'x-amz-storage-class': 'GLACIER_IR',
    });
  });

  it.each([
    { title: 'in one request', size: 10, at: /PUT .*new/ },
    { title: 'in parts', size: 6 * MiB, at: /POST .*uploadId/ },
  ])('is created only where there is nothing, $title', async ({ size, at }) => {
    const store = await storeOf();
    await store.put('new', bodyOf(someBytes(size)), { ifAbsent: true });

    const commit = aws.requests.find(({ method, url }) => at.test(`${method} ${url}`));
    expect(commit?.headers['if-none-match']).toBe('*');
    const sent = aws.requests.length;
    await expect(store.put('new', bodyOf(someBytes(size)), { ifAbsent: true })).rejects.toMatchObject({
      code: 'ALREADY_EXISTS',
    });
    // gigabytes that are refused at their end are not sent at all
    expect(asked(/partNumber/, 'PUT')).toHaveLength(size > MiB ? 2 : 0);
    expect(aws.requests.length).toBe(sent + 1);
  });

  it('is deleted with If-Match in the very request, where the server looks at it', async () => {
    const store = await storeOf();
    const { etag = '' } = await store.put('version', bodyOf('one'));

    await store.delete('version', { ifMatch: etag });

    expect(only(asked(/version/, 'DELETE')).headers['if-match']).toBe(etag);
  });

  it('is written and deleted without any condition where conditionalWrites is off', async () => {
    const store = await storeOf({ conditionalWrites: false });
    const { etag = '' } = await store.put('version', bodyOf('one'));

    await expect(store.delete('version', { ifMatch: '"other"' })).rejects.toMatchObject({
      code: 'PRECONDITION_FAILED',
    });
    await store.delete('version', { ifMatch: etag });

    expect(only(asked(/version/, 'DELETE')).headers['if-match']).toBeUndefined();
    await expect(store.put('a', bodyOf('b'), { ifAbsent: true })).rejects.toMatchObject({ code: 'UNSUPPORTED' });
  });
});

describe('a suffix that the server refuses, being longer than the object', () => {
  it('is asked for as a range of that very version', async () => {
    const store = await storeOf();
    const { etag } = await store.put('short', bodyOf('bytes'));

    const { body, range } = await store.open('short', { range: { suffix: 100 } });
    body.destroy();

    expect(range).toEqual({ start: 0, end: 4 });
    expect(asked(/short/, 'GET').map(({ headers }) => [headers.range, headers['if-match']])).toEqual([
      ['bytes=-100', undefined],
      ['bytes=0-4', etag],
    ]);
  });
});

describe('a put that is refused before anything is read', () => {
  it('closes its source', async () => {
    const store = await storeOf({ conditionalWrites: false });
    const sources = [Readable.from(['bytes']), Readable.from(['bytes'])] as const;

    await expect(store.put('new', { chunks: sources[0] }, { ifAbsent: true })).rejects.toMatchObject({
      code: 'UNSUPPORTED',
    });
    await expect(store.put('../new', { chunks: sources[1] })).rejects.toMatchObject({ code: 'INVALID_KEY' });

    expect(sources.map(({ destroyed }) => destroyed)).toEqual([true, true]);
    expect(aws.requests).toEqual([]);
  });
});
