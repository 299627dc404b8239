import { afterEach, describe, expect, it } from '@jest/globals';
import { missingCeph, startCeph } from '../src/index.ts';

describe('without Ceph', () => {
  const path = process.env['PATH'];
  afterEach(() => {
    process.env['PATH'] = path;
  });

  it('says which programs are missing, and how to install them', async () => {
    process.env['PATH'] = '/nowhere';

    expect(missingCeph()).toMatch(/radosgw, radosgw-admin, ceph-mon, ceph-osd, .* missing/);
    expect(missingCeph()).toContain('apt-get install -y --no-install-recommends radosgw ceph-mon ceph-osd ceph-common');
    await expect(startCeph()).rejects.toThrow('apt-get install');
  });
});
