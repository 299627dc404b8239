import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type CephEmulator, missingCeph, startCeph } from '../src/index.ts';
import { describeLife } from './describe-life.ts';
import { askS3, BUCKET, s3Subject } from './s3.ts';

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
      const ask = (method: string, path: string, body?: string) => askS3(server, server.readOnly, method, path, body);

      await expect(ask('GET', `/${BUCKET}/key`)).resolves.toEqual({ status: 200, text: 'text' });
      const list = await ask('GET', `/${BUCKET}`);
      expect(list.text).toContain('<Key>key</Key>');

      const denied = { status: 403, text: expect.stringContaining('<Code>AccessDenied</Code>') as unknown };
      await expect(ask('PUT', `/${BUCKET}/key`, 'other')).resolves.toEqual(denied);
      await expect(ask('DELETE', `/${BUCKET}/key`)).resolves.toEqual(denied);
    });

    it('refuses a wrong secret', async () => {
      const keys = { ...server.readOnly, secretAccessKey: 'guessed' };

      const { status, text } = await askS3(server, keys, 'GET', `/${BUCKET}/key`);

      expect(status).toBe(403);
      expect(text).toContain('<Code>SignatureDoesNotMatch</Code>');
    });
  });
}
