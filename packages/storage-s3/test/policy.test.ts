import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { type AwsLikeServer, awsLikeServer, type SeenRequest } from './aws-like-server.ts';
import { bodyOf, keysOf, read, someBytes } from './bodies.ts';
import { fauxqs, MiB, type TestServer } from './servers.ts';

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

/** What AWS's documentation says that a request needs. */
function permissionFor({ method, url }: SeenRequest): string {
  const { pathname, searchParams } = new URL(url, 'http://host');
  const ofBucket = pathname.split('/').filter(Boolean).length === 1;
  if (ofBucket && searchParams.has('lifecycle')) return 's3:GetLifecycleConfiguration';
  if (ofBucket && searchParams.has('uploads')) return 's3:ListBucketMultipartUploads';
  if (ofBucket) return 's3:ListBucket';
  if (method === 'GET' || method === 'HEAD') return 's3:GetObject';
  if (method === 'DELETE') return searchParams.has('uploadId') ? 's3:AbortMultipartUpload' : 's3:DeleteObject';
  return 's3:PutObject';
}

it('the policy of the setup guide allows what the plugin asks for, and nothing else', async () => {
  const guide = await readFile(new URL('../../../docs/setup/aws-s3.md', import.meta.url), 'utf8');
  const blocks = [...guide.matchAll(/```json\n([^`]*)```/g)].map(([, block]) => JSON.parse(block ?? '') as object);
  const { Statement } = blocks.find((block) => 'Statement' in block) as { Statement: { Action: string[] }[] };
  const store = await server.store({
    ...{ endpoint: aws.endpoint, conditionalWrites: true },
    requestChecksumCalculation: 'WHEN_SUPPORTED',
  });
  // what the test server is looked at with before it takes requests is not the plugin's doing
  aws.requests.length = 0;

  const { ok } = await store.check('write');
  const { etag = '' } = await store.put('film', bodyOf(someBytes(6 * MiB)), { ifAbsent: true });
  await read(store, 'film');
  await keysOf(store);
  await store.sweepIncomplete(new Date());
  await store.delete('film', { ifMatch: etag });
  await expect(store.head('film')).rejects.toMatchObject({ code: 'NOT_FOUND' });

  expect(ok).toBe(true);
  const needed = new Set(
    aws.requests
      // the check also looks, without a signature, whether anybody answers, and what a link gives
      .filter(({ headers }) => headers.authorization !== undefined)
      .map(permissionFor),
  );
  expect([...needed].sort()).toEqual(Statement.flatMap(({ Action }) => Action).sort());
});
