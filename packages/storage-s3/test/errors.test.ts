import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { inspect } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { StorageError } from '@paradoxon/storage';
import { type S3Storage } from '../src/index.ts';
import { type AwsLikeServer, awsLikeServer, errorOf } from './aws-like-server.ts';
import { bodyOf, someBytes } from './bodies.ts';
import { describeOnCeph } from './on-ceph.ts';
import { fauxqs, MiB, type TestServer } from './servers.ts';

let server: TestServer;
let aws: AwsLikeServer;
let store: S3Storage;

beforeAll(async () => {
  server = await fauxqs();
  aws = await awsLikeServer(server);
  store = await server.store({
    ...{ endpoint: aws.endpoint, bucket: await server.bucket(), prefix: 'p', region: 'eu-west-3' },
    ...{ requestChecksumCalculation: 'WHEN_SUPPORTED', conditionalWrites: true },
  });
}, 60_000);
afterAll(async () => {
  await aws.close();
  await server.stop();
});

const errorOfCall = async (call: Promise<unknown>): Promise<StorageError> => {
  const error = await call.then(
    () => new Error('It resolved.'),
    (reason: unknown) => reason,
  );
  expect(StorageError.is(error) ? error.storage : error).toBe('s3');
  return error as StorageError;
};

describe('what the server answers', () => {
  it.each([
    {
      answer: errorOf(403, 'AccessDenied'),
      code: 'PERMISSION_DENIED',
      advice: /allow s3:PutObject on arn:aws:s3:::bucket-[\d-]+\/p\/film/,
    },
    { answer: errorOf(403, 'InvalidAccessKeyId'), code: 'UNAUTHENTICATED', advice: /credentials\.accessKeyId/ },
    { answer: errorOf(403, 'SignatureDoesNotMatch'), code: 'UNAUTHENTICATED', advice: /credentials\.secretAccessKey/ },
    { answer: errorOf(400, 'ExpiredToken'), code: 'UNAUTHENTICATED', advice: /have expired/ },
    { answer: errorOf(404, 'NoSuchBucket'), code: 'INVALID_CONFIG', advice: /no bucket "bucket-[\d-]+".*Create it/ },
    {
      answer: errorOf(400, 'AuthorizationHeaderMalformed', '<Region>eu-central-1</Region>'),
      code: 'INVALID_CONFIG',
      advice: /set the option region to eu-central-1/,
    },
    {
      answer: { ...errorOf(301, 'PermanentRedirect'), headers: { 'x-amz-bucket-region': 'us-west-2' } },
      code: 'INVALID_CONFIG',
      advice: /eu-west-3: set the option region to us-west-2/,
    },
    {
      answer: errorOf(501, 'NotImplemented'),
      code: 'UNSUPPORTED',
      advice: /requestChecksumCalculation to WHEN_REQUIRED.*conditionalWrites to false/,
    },
    { answer: errorOf(411, 'MissingContentLength'), code: 'UNSUPPORTED', advice: /WHEN_REQUIRED/ },
    { answer: errorOf(400, 'EntityTooLarge'), code: 'TOO_LARGE', advice: /smaller partBytes/ },
    { answer: errorOf(400, 'InvalidStorageClass'), code: 'INVALID_CONFIG', advice: /option storageClass/ },
    { answer: errorOf(400, 'BadDigest'), code: 'CHECKSUM_MISMATCH', advice: /other bytes/ },
    { answer: errorOf(403, 'QuotaExceeded'), code: 'QUOTA_EXCEEDED', advice: /quota/ },
    { answer: errorOf(507, 'Whatever'), code: 'QUOTA_EXCEEDED', advice: /full/ },
    { answer: errorOf(400, 'KMS.DisabledException'), code: 'INVALID_CONFIG', advice: /encryption key/ },
    { answer: errorOf(418, 'Teapot'), code: 'INVALID_CONFIG', advice: /418.*endpoint/ },
    { answer: { status: 404, body: '<html>not here</html>' }, code: 'INVALID_CONFIG', advice: /endpoint/ },
  ] as const)('$answer.status $code: $advice', async ({ answer, code, advice }) => {
    aws.answer(/PUT/, answer);

    const error = await errorOfCall(store.put('film', bodyOf('bytes')));

    expect(error).toMatchObject({
      code,
      operation: 'put',
      key: 'film',
      httpStatus: answer.status,
      committed: 'no',
      retry: error.retry,
    });
    expect(error.message).toMatch(advice);
    expect(error.message).toContain('s3://');
  });

  it('SlowDown keeps what the server says about waiting, and is not asked again at once', async () => {
    const slow = errorOf(503, 'SlowDown');
    aws.answer(/PUT/, { ...slow, headers: { ...slow.headers, 'retry-after': '7' } });
    const before = aws.requests.length;

    const error = await errorOfCall(store.put('film', bodyOf('bytes')));

    expect(error).toMatchObject({
      code: 'RATE_LIMITED',
      retry: 'after',
      retryAfterMs: 7000,
      httpStatus: 503,
      requestId: 'REQUEST1',
    });
    expect(aws.requests.length).toBe(before + 1);
  });

  it('a Retry-After may be a date', async () => {
    const slow = errorOf(503, 'SlowDown');
    const date = new Date(Date.now() + 60_000).toUTCString();
    aws.answer(/HEAD/, { ...slow, headers: { ...slow.headers, 'retry-after': date } });

    const { retryAfterMs } = await errorOfCall(store.head('film'));

    expect(retryAfterMs).toBeGreaterThan(55_000);
    expect(retryAfterMs).toBeLessThanOrEqual(60_000);
  });

  it('a server that is busy for a moment is asked three times in all', async () => {
    aws.answer(/PUT .*moment/, errorOf(503, 'ServiceUnavailable'), 2);
    await store.put('moment', bodyOf('bytes'));
    aws.answer(/PUT .*longer/, errorOf(500, 'InternalError'), 3);

    const error = await errorOfCall(store.put('longer', bodyOf('bytes')));

    // a 500 to the request that commits says nothing
    expect(error).toMatchObject({ code: 'UNAVAILABLE', retry: 'safe', committed: 'unknown' });
  });

  it('200 with an error in it is no success: the upload is cancelled', async () => {
    const body = errorOf(200, 'InternalError').body ?? '';
    aws.answer(/POST .*two-hundred.*uploadId/, { status: 200, body: `  \n${body}` }, 3);

    const error = await errorOfCall(store.put('two-hundred', bodyOf(someBytes(6 * MiB))));

    expect(error.code).toBe('UNAVAILABLE');
    expect(await errorOfCall(store.head('two-hundred'))).toMatchObject({ code: 'NOT_FOUND' });
    expect(aws.requests.filter(({ method, url }) => method === 'DELETE' && /two-hundred/.test(url))).toHaveLength(1);
  });

  it('an upload that somebody has swept away can be tried again', async () => {
    aws.answer(/PUT .*swept.*partNumber/, errorOf(404, 'NoSuchUpload'));

    const error = await errorOfCall(store.put('swept', bodyOf(someBytes(6 * MiB))));

    expect(error).toMatchObject({ code: 'UNAVAILABLE', retry: 'safe' });
  });

  it('a lost race for a new key is ALREADY_EXISTS once the winner is there, else worth another try', async () => {
    aws.answer(/PUT .*race/, errorOf(409, 'ConditionalRequestConflict'));
    expect(await errorOfCall(store.put('race', bodyOf('b'), { ifAbsent: true }))).toMatchObject({
      code: 'UNAVAILABLE',
    });
    await store.put('race', bodyOf('winner'));
    aws.answer(/PUT .*race/, errorOf(409, 'ConditionalRequestConflict'));
    expect(await errorOfCall(store.put('race', bodyOf('b'), { ifAbsent: true }))).toMatchObject({
      code: 'ALREADY_EXISTS',
    });
  });

  it('403 to a HEAD is never NOT_FOUND, and says that s3:ListBucket tells the two apart', async () => {
    aws.answer(/HEAD/, { status: 403 });

    const error = await errorOfCall(store.head('film'));

    expect(error.code).toBe('PERMISSION_DENIED');
    expect(error.message).toMatch(
      /allow s3:GetObject on arn:\S+\/p\/film, and s3:ListBucket on arn:\S+, without which/,
    );
  });

  it('404 to a HEAD is asked after: the bucket may be missing', async () => {
    const lost = await server.store({ bucket: 'never-made' });

    const errors = [
      await errorOfCall(lost.head('film')),
      await errorOfCall(lost.open('film')),
      await errorOfCall(lost.put('film', bodyOf('bytes'))),
      await errorOfCall(lost.delete('film')),
      await errorOfCall(lost.list('')[Symbol.asyncIterator]().next()),
    ];

    for (const error of errors) {
      expect(error.code).toBe('INVALID_CONFIG');
      expect(error.message).toContain('no bucket "never-made"');
    }
    expect(await errorOfCall(store.head('film-that-is-not'))).toMatchObject({ code: 'NOT_FOUND' });
  });

  it('an object in an archive class says so, and is not tried again', async () => {
    aws.answer(/GET/, errorOf(403, 'InvalidObjectState'));

    expect(await errorOfCall(store.open('film'))).toMatchObject({ code: 'UNAVAILABLE', retry: 'never' });
  });

  it('no error shows a secret', async () => {
    aws.answer(/GET/, errorOf(403, 'SignatureDoesNotMatch', '<StringToSign>AWS4</StringToSign>'));

    const error = await errorOfCall(store.open('film'));

    expect(error.message).not.toContain(server.emulator.secretAccessKey);
  });

  it('nor a token, which servers quote in what they refuse', async () => {
    const more = '<Token-0>TOKEN</Token-0><CanonicalRequest>x-amz-security-token:TOKEN</CanonicalRequest>';
    aws.answer(/GET/, errorOf(400, 'ExpiredToken', more));

    const error = await errorOfCall(store.open('film'));

    expect(inspect(error, { depth: 9 })).not.toContain('TOKEN');
  });

  it.each([
    { headers: {}, code: 'UNAUTHENTICATED', advice: /keys may have expired/ },
    { headers: { 'x-amz-bucket-region': 'us-west-2' }, code: 'INVALID_CONFIG', advice: /region to us-west-2/ },
  ])('400 without a reason, as a HEAD gets it, is $code', async ({ headers, code, advice }) => {
    aws.answer(/HEAD/, { status: 400, headers });

    const error = await errorOfCall(store.head('film'));

    expect(error.code).toBe(code);
    expect(error.message).toMatch(advice);
  });

  it.each([500, 502, 504])(
    '%i and then a refusal leaves it open whether the first attempt took effect',
    async (status) => {
      aws.answer(/PUT/, { status });
      aws.answer(/PUT/, errorOf(412, 'PreconditionFailed'));

      const error = await errorOfCall(store.put('film', bodyOf('bytes'), { ifAbsent: true }));

      expect(error).toMatchObject({ code: 'ALREADY_EXISTS', committed: 'unknown' });
    },
  );
});

describe('what comes from the way to the server', () => {
  it('nobody listens: NETWORK, soon, and nothing was stored', async () => {
    const closed = createServer().listen(0, '127.0.0.1');
    await new Promise((listening) => closed.once('listening', listening));
    const { port } = closed.address() as AddressInfo;
    await new Promise((done) => closed.close(done));
    const nobody = await server.store({ bucket: 'films', endpoint: `http://127.0.0.1:${port}` });
    const begun = Date.now();

    const error = await errorOfCall(nobody.put('film', bodyOf('bytes')));

    expect(error).toMatchObject({ code: 'NETWORK', retry: 'safe', committed: 'no' });
    expect(error.message).toContain('ECONNREFUSED');
    expect(Date.now() - begun).toBeLessThan(2000);
  });

  it('an answer that does not come in time: TIMEOUT, and nobody knows whether it is stored', async () => {
    const silent: Server = createServer(() => undefined).listen(0, '127.0.0.1');
    await new Promise((listening) => silent.once('listening', listening));
    const { port } = silent.address() as AddressInfo;
    const store = await server.store({ bucket: 'films', endpoint: `http://127.0.0.1:${port}`, idleTimeoutMs: 100 });

    const [put, open, head] = await Promise.all([
      errorOfCall(store.put('film', bodyOf('bytes'))),
      errorOfCall(store.open('film')),
      errorOfCall(store.head('film')),
    ]);

    expect(put).toMatchObject({ code: 'TIMEOUT', retry: 'safe', committed: 'unknown' });
    expect([open.code, head.code]).toEqual(['TIMEOUT', 'TIMEOUT']);
    silent.close();
    silent.closeAllConnections();
  });

  it('a server that is no S3: INVALID_CONFIG', async () => {
    const page = createServer((_request, response) => void response.end('<html>hello</html>')).listen(0, '127.0.0.1');
    await new Promise((listening) => page.once('listening', listening));
    const { port } = page.address() as AddressInfo;
    const store = await server.store({ bucket: 'films', endpoint: `http://127.0.0.1:${port}` });

    const error = await errorOfCall(store.put('film', bodyOf(someBytes(6 * MiB))));

    expect(error.code).toBe('INVALID_CONFIG');
    page.close();
    page.closeAllConnections();
  });
});

describeOnCeph('what a server that verifies answers', (ceph) => {
  it('to a wrong secret, an unknown key, and a key that may only read', async () => {
    const bucket = await ceph().bucket();
    const { accessKeyId, readOnly } = ceph().emulator;
    const owner = await ceph().store({ bucket });
    await owner.put('film', bodyOf('bytes'));
    const wrong = await ceph().store({ bucket, credentials: { accessKeyId, secretAccessKey: 'wrong' } });
    const unknown = await ceph().store({ bucket, credentials: { accessKeyId: 'AKIANOBODY', secretAccessKey: 'x' } });
    const reader = await ceph().store({ bucket, credentials: readOnly });

    expect(await errorOfCall(wrong.open('film'))).toMatchObject({ code: 'UNAUTHENTICATED', httpStatus: 403 });
    expect(await errorOfCall(unknown.open('film'))).toMatchObject({ code: 'UNAUTHENTICATED', httpStatus: 403 });
    for (const size of [5, 7 * MiB]) {
      const denied = await errorOfCall(reader.put('film', bodyOf(someBytes(size))));
      expect(denied).toMatchObject({ code: 'PERMISSION_DENIED', committed: 'no' });
      expect(denied.message).toContain('s3:PutObject on arn:aws:s3:::');
    }
    expect(await errorOfCall(reader.delete('film'))).toMatchObject({ code: 'PERMISSION_DENIED' });
    expect((await reader.head('film')).size).toBe(5);
    expect((await errorOfCall(reader.delete('film'))).message).toContain('s3:DeleteObject');
  });

  it('to a missing bucket, never NOT_FOUND', async () => {
    const lost = await ceph().store({ bucket: 'never-made' });

    const calls = [lost.head('a'), lost.open('a'), lost.put('a', bodyOf('b')), lost.delete('a')];

    for (const error of await Promise.all(calls.map(errorOfCall))) expect(error.code).toBe('INVALID_CONFIG');
  });

  it('to bytes that are not those of the Content-MD5', async () => {
    const store = await ceph().store();
    const body = { ...bodyOf('bytes'), checksums: () => ({ md5: '0'.repeat(32) }) };

    expect(await errorOfCall(store.put('film', body))).toMatchObject({ code: 'CHECKSUM_MISMATCH', committed: 'no' });
    expect(await errorOfCall(store.head('film'))).toMatchObject({ code: 'NOT_FOUND' });
  });
});
