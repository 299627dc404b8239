import { afterAll, beforeAll, describe, it } from '@jest/globals';
import { type Ceph, ceph, noCeph, type TestServer } from './servers.ts';

/** Cases that need a server which verifies signatures and permissions. Skipped aloud where Ceph is not installed. */
export function describeOnCeph(name: string, register: (server: () => TestServer<Ceph>) => void): void {
  describe(`${name}, on Ceph`, () => {
    if (noCeph !== undefined) {
      console.warn(`${name} is not tested against Ceph. ${noCeph}`);
      it.skip(`not tested: ${noCeph}`, () => undefined);
      return;
    }
    let server: TestServer<Ceph>;
    beforeAll(async () => {
      server = await ceph();
    }, 60_000);
    afterAll(() => server.stop());
    register(() => server);
  });
}
