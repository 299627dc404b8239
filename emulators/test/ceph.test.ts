import { DeleteObjectCommand, GetObjectCommand, ListObjectsV2Command, PutObjectCommand } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type CephEmulator, missingCeph, startCeph } from '../src/index.ts';
import { describeLife } from './describe-life.ts';
import { BUCKET, clientOf, s3Subject } from './s3.ts';

const missing = missingCeph();

if (missing !== undefined) {
  console.warn(`Nothing of Ceph is tested. ${missing}`);
  it.skip(`starts a Ceph. ${missing}`, () => undefined);
} else {
  describeLife('Ceph', { byHand: 'ceph', start: startCeph, ...s3Subject });

  describe('Ceph', () => {
    let server: CephEmulator;
    beforeAll(async () => {
      server = await startCeph();
      await s3Subject.makeBucket(server);
      await s3Subject.put(server, 'key', 'text');
    }, 60_000);
    afterAll(() => server.stop());

    it('lets the second key read and list, and nothing else', async () => {
      const reader = clientOf(server, server.readOnly);
      const object = { Bucket: BUCKET, Key: 'key' };

      await expect(reader.send(new GetObjectCommand(object))).resolves.toMatchObject({ ContentLength: 4 });
      await expect(reader.send(new ListObjectsV2Command({ Bucket: BUCKET }))).resolves.toMatchObject({ KeyCount: 1 });

      const denied = { name: 'AccessDenied', $metadata: { httpStatusCode: 403 } };
      await expect(reader.send(new PutObjectCommand({ ...object, Body: 'other' }))).rejects.toMatchObject(denied);
      await expect(reader.send(new DeleteObjectCommand(object))).rejects.toMatchObject(denied);
    });

    it('refuses a wrong secret', async () => {
      const stranger = clientOf(server, { ...server.readOnly, secretAccessKey: 'guessed' });

      const reading = stranger.send(new GetObjectCommand({ Bucket: BUCKET, Key: 'key' }));

      await expect(reading).rejects.toMatchObject({ name: 'SignatureDoesNotMatch' });
    });
  });
}
