import { TLSSocket } from 'node:tls';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import nock from 'nock';
import { ReplicateDirectStorage } from '../src/index.ts';
import { ID } from './setting.ts';

beforeAll(() => {
  nock.disableNetConnect();
  // nock's sockets have no peer until the request is written, and the address guard sends nothing to an unknown peer
  Object.defineProperty(TLSSocket.prototype, 'remoteAddress', { configurable: true, get: () => '93.184.216.34' });
});

// without this the next test file of the same worker has no network
afterAll(() => {
  Reflect.deleteProperty(TLSSocket.prototype, 'remoteAddress');
  nock.cleanAll();
  nock.enableNetConnect();
  nock.restore();
});

it("asks Replicate's own API, with the token, when nothing else is configured", async () => {
  const scope = nock('https://api.replicate.com', { reqheaders: { authorization: 'Bearer r8_token' } })
    .get(`/v1/predictions/${ID}`)
    .reply(200, { id: ID, status: 'starting', input: {}, output: null });
  const store = new ReplicateDirectStorage('direct', { apiToken: 'r8_token' });

  const prediction = await store.getPrediction(ID);

  expect(prediction).toMatchObject({ id: ID, status: 'starting' });
  expect(scope.isDone()).toBe(true);
  await store.close();
});
