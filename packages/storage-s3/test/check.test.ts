import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { PutBucketCorsCommand, PutBucketLifecycleConfigurationCommand } from '@aws-sdk/client-s3';
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import type { CheckReport } from '@paradoxon/storage';
import { type AwsLikeServer, awsLikeServer, errorOf } from './aws-like-server.ts';
import { describeOnCeph } from './on-ceph.ts';
import { fauxqs, type TestServer } from './servers.ts';

const failed = ({ steps }: CheckReport): string[] => steps.filter(({ ok }) => !ok).map(({ name }) => name);
const detail = ({ steps }: CheckReport, name: string): string => steps.find((step) => step.name === name)?.detail ?? '';

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((listening) => server.once('listening', listening));
  const { port } = server.address() as AddressInfo;
  await new Promise((closed) => server.close(closed));
  return port;
}

describe("check('config')", () => {
  it('says in words what is configured, asks nobody, and shows no secret', async () => {
    const nobody = `http://127.0.0.1:${await freePort()}`;
    const { S3Storage } = await import('../src/index.ts');
    const credentials = { accessKeyId: 'AKIAEXAMPLE', secretAccessKey: 'hidden' };
    const store = new S3Storage('s3', { bucket: 'films', endpoint: nobody, prefix: 'p', credentials });

    const report = await store.check('config');

    expect(report.ok).toBe(true);
    expect(detail(report, 'options')).toBe(
      `Bucket films in us-east-1 at ${nobody}, path style; prefix p/; credentials are given; the server verifies CRC32C; create-only writes are on.`,
    );
  });
});

describe('a check', () => {
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
  afterEach(() => void jest.useRealTimers());

  it('with the defaults, on a double of AWS, finds everything in order and leaves nothing', async () => {
    const bucket = await server.bucket();
    const store = await server.store({
      ...{ bucket, endpoint: aws.endpoint },
      ...{ requestChecksumCalculation: 'WHEN_SUPPORTED', conditionalWrites: true },
    });

    const report = await store.check('write');

    expect(failed(report)).toEqual([]);
    expect(report.steps.map(({ name }) => name)).toEqual([
      ...['options', 'endpoint', 'clock', 'credentials', 'bucket', 'incomplete uploads'],
      ...['write', 'look', 'read', 'create only', 'link', 'pages', 'life of links', 'delete', 'upload in parts'],
    ]);
    expect(await server.inventory(bucket)).toEqual([]);
  });

  it('of a server that ignores create-only writes, or knows no CRC32C, says which option to set', async () => {
    const ignoring = await server.store({ conditionalWrites: true });
    const unproven = await server.store({ requestChecksumCalculation: 'WHEN_SUPPORTED' });

    const [first, second] = [await ignoring.check('write'), await unproven.check('write')];

    expect(failed(first)).toEqual(['create only']);
    expect(detail(first, 'create only')).toContain('conditionalWrites');
    expect(failed(second)).toEqual(['write']);
    expect(detail(second, 'write')).toContain('Set requestChecksumCalculation to WHEN_REQUIRED');
  });

  it('says how long links live that are signed with temporary keys, and until when the keys do', async () => {
    const expiration = new Date(Date.now() + 7_200_000);
    const credentials = { accessKeyId: 'ASIA', secretAccessKey: 's', sessionToken: 't', expiration };
    const store = await server.store({ credentials });

    const report = await store.check('write');

    expect(failed(report)).toEqual([]);
    expect(detail(report, 'credentials')).toBe(`Access key …ASIA, temporary, until ${expiration.toISOString()}.`);
    expect(detail(report, 'life of links')).toMatch(/2\.0 hours only, because then the credentials end/);
  });

  it('does not fail because the lifecycle rules may not be read', async () => {
    const store = await server.store({ endpoint: aws.endpoint });
    aws.answer(/GET .*lifecycle/, errorOf(403, 'AccessDenied'));

    const report = await store.check('reach');

    expect(failed(report)).toEqual([]);
    expect(detail(report, 'incomplete uploads')).toMatch(/cannot be read \(PERMISSION_DENIED\)/);
  });

  it('says when parts of an upload may not be cancelled', async () => {
    const store = await server.store({ endpoint: aws.endpoint });
    aws.answer(/DELETE .*uploadId/, errorOf(403, 'AccessDenied'));

    const report = await store.check('write');

    expect(failed(report)).toEqual(['upload in parts']);
    expect(detail(report, 'upload in parts')).toContain('s3:AbortMultipartUpload');
  });

  it('of a bucket in another region names the right one', async () => {
    const store = await server.store({ endpoint: aws.endpoint });
    aws.answer(/list-type/, { ...errorOf(301, 'PermanentRedirect'), headers: { 'x-amz-bucket-region': 'eu-north-1' } });

    const report = await store.check('reach');

    expect(failed(report)).toEqual(['bucket']);
    expect(detail(report, 'bucket')).toContain('set the option region to eu-north-1');
  });
});

describeOnCeph('a check', (ceph) => {
  afterEach(() => void jest.useRealTimers());

  it('of a good store is good', async () => {
    const bucket = await ceph().bucket();
    const store = await ceph().store({ bucket });

    const report = await store.check('write');

    expect(failed(report)).toEqual([]);
    expect(detail(report, 'pages')).toContain('add a CORS rule');
    expect(await ceph().inventory(bucket)).toEqual([]);
  });

  it('sees the CORS rule and the lifecycle rule of the bucket', async () => {
    const bucket = await ceph().bucket();
    const store = await ceph().store({ bucket });
    const { client } = ceph();
    await client.send(
      new PutBucketCorsCommand({
        Bucket: bucket,
        CORSConfiguration: {
          CORSRules: [{ AllowedMethods: ['GET', 'HEAD'], AllowedOrigins: ['https://page.example'] }],
        },
        ChecksumAlgorithm: 'SHA256',
      }),
    );
    await client.send(
      new PutBucketLifecycleConfigurationCommand({
        Bucket: bucket,
        LifecycleConfiguration: {
          Rules: [
            {
              ID: 'a',
              Status: 'Enabled',
              Filter: { Prefix: '' },
              AbortIncompleteMultipartUpload: { DaysAfterInitiation: 3 },
            },
          ],
        },
        ChecksumAlgorithm: 'SHA256',
      }),
    );

    const report = await store.check('write');

    expect(detail(report, 'pages')).toContain('CORS allows https://page.example');
    expect(detail(report, 'incomplete uploads')).toBe('A rule removes them after 3 days.');
  });

  it('finds four wrong settings, and tells four different things to change', async () => {
    const bucket = await ceph().bucket();
    const { readOnly } = ceph().emulator;
    const nobody = `http://127.0.0.1:${await freePort()}`;

    const reading = await (await ceph().store({ bucket, credentials: readOnly })).check('write');
    const missing = await (await ceph().store({ bucket: 'never-made' })).check('write');
    const elsewhere = await (await ceph().store({ bucket, endpoint: nobody })).check('write');
    const late = await ceph().store({ bucket });
    jest.useFakeTimers({ now: Date.now() - 3_600_000, doNotFake: [...EVERYTHING_BUT_DATE] });
    const clock = await late.check('write');
    jest.useRealTimers();

    expect(failed(reading)).toEqual(['write', 'delete', 'upload in parts']);
    expect(detail(reading, 'write')).toMatch(/allow s3:PutObject on arn:aws:s3:::bucket-[\d-]+\/paradoxon-check-/);
    expect(failed(missing)).toEqual(['bucket']);
    expect(detail(missing, 'bucket')).toContain('has no bucket "never-made"');
    expect(failed(elsewhere)).toEqual(['endpoint']);
    expect(detail(elsewhere, 'endpoint')).toMatch(/Nothing answers at .*ECONNREFUSED.*Look at endpoint/);
    expect(failed(clock)).toEqual(['clock']);
    expect(detail(clock, 'clock')).toMatch(/3[56]\d\d s behind .*Set it \(NTP\)/);
    expect(await ceph().inventory(bucket)).toEqual([]);
  });

  it('of a wrong secret and of an unknown key names the option', async () => {
    const bucket = await ceph().bucket();
    const { accessKeyId } = ceph().emulator;
    const wrong = await ceph().store({ bucket, credentials: { accessKeyId, secretAccessKey: 'no' } });
    const unknown = await ceph().store({ bucket, credentials: { accessKeyId: 'NOBODY', secretAccessKey: 'no' } });

    expect(detail(await wrong.check('reach'), 'bucket')).toContain('credentials.secretAccessKey');
    expect(detail(await unknown.check('reach'), 'bucket')).toContain('credentials.accessKeyId');
  });
});

const EVERYTHING_BUT_DATE = [
  ...(['hrtime', 'nextTick', 'performance', 'queueMicrotask', 'setImmediate', 'clearImmediate'] as const),
  ...(['setInterval', 'clearInterval', 'setTimeout', 'clearTimeout'] as const),
];
