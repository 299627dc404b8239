import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import nock from 'nock';
import { S3Storage } from '../src/index.ts';
import { base64Of } from './aws-like-server.ts';
import { bodyOf, someBytes } from './bodies.ts';

// nock, because no server here has the name of AWS and its certificate
beforeAll(() => {
  if (!nock.isActive()) nock.activate();
  nock.disableNetConnect();
});
afterAll(() => {
  nock.cleanAll();
  nock.enableNetConnect();
  // it patches node:net, which all test files of this process share
  nock.restore();
});

const HOST = 'https://films.s3.eu-central-1.amazonaws.com';
const credentials = { accessKeyId: 'AKIAEXAMPLE', secretAccessKey: 'secret' };
const MiB = 1024 ** 2;

/** The headers of the request that this answers, once it has come. */
function sentTo(scope: nock.Scope): Record<string, string> {
  const sent: Record<string, string> = {};
  scope.on('request', ({ headers }: Request) => Object.assign(sent, Object.fromEntries(headers)));
  return sent;
}

describe('without an endpoint', () => {
  it.each(['WHEN_SUPPORTED', 'WHEN_REQUIRED'] as const)(
    "goes to the bucket's own host by TLS, and hashes nothing a second time for the signature (%s)",
    async (requestChecksumCalculation) => {
      const bytes = someBytes(100_000);
      const sent = sentTo(
        nock(HOST)
          .put('/film.mp4?x-id=PutObject')
          .reply(200, '', { etag: '"1"', 'x-amz-checksum-crc32c': base64Of(bytes) }),
      );
      nock(HOST).head('/film.mp4').reply(200, '', { etag: '"1"', 'content-length': '100000' });
      const store = new S3Storage('s3', {
        bucket: 'films',
        region: 'eu-central-1',
        credentials,
        requestChecksumCalculation,
      });

      await store.put('film.mp4', bodyOf(bytes));

      expect(sent['x-amz-content-sha256']).toBe('UNSIGNED-PAYLOAD');
      expect(sent['authorization']).toMatch(
        requestChecksumCalculation === 'WHEN_SUPPORTED'
          ? /SignedHeaders=[^,]*x-amz-checksum-crc32c;x-amz-content-sha256/
          : /SignedHeaders=[^,]*content-md5;[^,]*x-amz-content-sha256/,
      );
      await store.close();
    },
  );

  it('sends a part of several MiB without waiting for 100-continue', async () => {
    const refusal = '<Error><Code>AccessDenied</Code></Error>';
    const sent = sentTo(nock(HOST).put('/film.mp4?x-id=PutObject').reply(403, refusal));
    const store = new S3Storage('s3', { bucket: 'films', region: 'eu-central-1', credentials });

    await expect(store.put('film.mp4', bodyOf(someBytes(3 * MiB)))).rejects.toMatchObject({
      code: 'PERMISSION_DENIED',
    });

    expect(sent['expect']).toBeUndefined();
    await store.close();
  });

  it('names a permission in the partition of its region', async () => {
    nock('https://films.s3.cn-north-1.amazonaws.com.cn').head('/film.mp4').reply(403);
    const store = new S3Storage('s3', { bucket: 'films', region: 'cn-north-1', credentials });

    await expect(store.head('film.mp4')).rejects.toThrow('s3:GetObject on arn:aws-cn:s3:::films/film.mp4');
    await store.close();
  });
});
