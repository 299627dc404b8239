import { CreateMultipartUploadCommand, PutObjectCommand, UploadPartCommand } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type AwsLikeServer, awsLikeServer, errorOf } from './aws-like-server.ts';
import { bodyOf, keysOf } from './bodies.ts';
import { describeOnCeph } from './on-ceph.ts';
import { fauxqs, type TestServer } from './servers.ts';

let server: TestServer;
let aws: AwsLikeServer;
beforeAll(async () => {
  server = await fauxqs();
  aws = await awsLikeServer(server);
}, 60_000);
afterAll(async () => {
  await aws.close();
  await server.stop();
});

/** Written without the store: quicker. */
async function fill({ client }: TestServer, bucket: string, keys: readonly string[]): Promise<void> {
  const rest = [...keys];
  const writer = async (): Promise<void> => {
    for (let key = rest.pop(); key !== undefined; key = rest.pop()) {
      await client.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: Buffer.alloc(0) }));
    }
  };
  await Promise.all(Array.from({ length: 32 }, writer));
}

const NUMBERED = Array.from({ length: 2500 }, (_, n) => `films/${String(n).padStart(4, '0')} +%20 é.mp4`);

describe('a list', () => {
  it('of 2,500 objects comes in three pages, each object once', async () => {
    const bucket = await server.bucket();
    await fill(server, bucket, [...NUMBERED.map((key) => `p/${key}`), 'p-not/outside']);
    const store = await server.store({ bucket, prefix: 'p', endpoint: aws.endpoint });

    const keys = await keysOf(store);

    expect(keys).toEqual(NUMBERED);
    expect(aws.requests.filter(({ url }) => url.includes('list-type=2'))).toHaveLength(3);
    expect(aws.requests[0]?.url).toContain('encoding-type=url');
  }, 60_000);

  it('has its keys decoded as AWS encodes them, which is as forms are', async () => {
    const store = await server.store({ endpoint: aws.endpoint });
    const contents = '<Contents><Key>a+b%2Bc%2520%C3%A9</Key><Size>3</Size><ETag>plain</ETag></Contents>';
    aws.answer(/list-type/, {
      status: 200,
      body: `<ListBucketResult><EncodingType>url</EncodingType>${contents}</ListBucketResult>`,
    });

    for await (const info of store.list('')) {
      expect(info).toEqual({ key: 'a b+c%20é', size: 3, etag: '"plain"', metadata: {}, checksums: {} });
    }
    expect.assertions(1);
  });

  it('has no folders in it, which consoles make as empty objects with a slash at their end', async () => {
    const bucket = await server.bucket();
    await fill(server, bucket, ['p/', 'p/films/', 'p/films/empty.mp4']);
    const store = await server.store({ bucket, prefix: 'p' });

    expect(await keysOf(store)).toEqual(['films/empty.mp4']);
  });

  it('that may not be made says which permission is missing', async () => {
    const store = await server.store({ endpoint: aws.endpoint });
    aws.answer(/list-type/, errorOf(403, 'AccessDenied'));

    const listing = keysOf(store);

    await expect(listing).rejects.toMatchObject({ code: 'PERMISSION_DENIED', operation: 'list' });
    await expect(listing).rejects.toThrow(/allow s3:ListBucket on arn:aws:s3:::bucket-[\d-]+\. /);
  });
});

describe('a sweep', () => {
  it('follows the pages of a list of uploads, whatever is in their keys', async () => {
    const store = await server.store({ endpoint: aws.endpoint });
    const page = (key: string, more: string): string =>
      `<ListMultipartUploadsResult>${more}<Upload><Key>${key}</Key><UploadId>u</UploadId>` +
      '<Initiated>2020-01-01T00:00:00Z</Initiated></Upload></ListMultipartUploadsResult>';
    const next =
      '<IsTruncated>true</IsTruncated><NextKeyMarker>a b&amp;c</NextKeyMarker><NextUploadIdMarker>u</NextUploadIdMarker>';
    aws.answer(/GET .*uploads/, { status: 200, body: page('a b&amp;c', next) });
    aws.answer(/GET .*uploads/, { status: 200, body: page('c+d', '<IsTruncated>false</IsTruncated>') });
    aws.answer(/DELETE/, { status: 204 }, 2);
    aws.requests.length = 0;

    expect(await store.sweepIncomplete(new Date())).toEqual({ removed: 2 });

    const paths = aws.requests.map(({ method, url }) => [method, url.replace(/^\/[^/?]+/, '')]);
    expect(paths.map(([method]) => method)).toEqual(['GET', 'DELETE', 'GET', 'DELETE']);
    expect(paths[1]?.[1]).toMatch(/^\/a%20b%26c\?/);
    expect(paths[2]?.[1]).toContain('key-marker=a%20b%26c&');
    expect(paths[2]?.[1]).toContain('upload-id-marker=u');
    expect(paths[3]?.[1]).toMatch(/^\/c%2Bd\?/);
  });

  it('passes over an upload that has ended meanwhile, and says what it may not do', async () => {
    const store = await server.store({ endpoint: aws.endpoint });
    const body =
      '<ListMultipartUploadsResult><Upload><Key>a</Key><UploadId>u</UploadId><Initiated>2020-01-01T00:00:00Z</Initiated>' +
      '</Upload></ListMultipartUploadsResult>';
    aws.answer(/GET .*uploads/, { status: 200, body }, 2);
    aws.answer(/DELETE/, errorOf(404, 'NoSuchUpload'));
    aws.answer(/DELETE/, errorOf(403, 'AccessDenied'));

    expect(await store.sweepIncomplete(new Date())).toEqual({ removed: 0 });
    const denied = store.sweepIncomplete(new Date());

    await expect(denied).rejects.toThrow(/s3:AbortMultipartUpload on arn:aws:s3:::bucket-[\d-]+\/\*/);
  });
});

describeOnCeph('upkeep', (ceph) => {
  it('lists more than a page of objects, and removes abandoned uploads below its prefix, and no other', async () => {
    const bucket = await ceph().bucket();
    const { client } = ceph();
    const store = await ceph().store({ bucket, prefix: 'p' });
    for (const key of ['p/old +é', 'p/other', 'outside']) {
      const place = { Bucket: bucket, Key: key };
      const { UploadId } = await client.send(new CreateMultipartUploadCommand(place));
      await client.send(new UploadPartCommand({ ...place, UploadId, PartNumber: 1, Body: 'part' }));
    }
    await store.put('whole', bodyOf('bytes'));

    expect(await store.sweepIncomplete(new Date(Date.now() - 3_600_000))).toEqual({ removed: 0 });
    expect(await store.sweepIncomplete(new Date(Date.now() + 1000))).toEqual({ removed: 2 });

    expect(await ceph().inventory(bucket)).toEqual(['p/whole', 'upload of outside']);
    const keys = NUMBERED.slice(0, 1010);
    await fill(
      ceph(),
      bucket,
      keys.map((key) => `p/${key}`),
    );
    expect(await keysOf(store, 'films/')).toEqual(keys);
  }, 60_000);
});
