import { afterEach, describe, expect, it } from '@jest/globals';
import { Agent, request } from 'undici';
import { resolvePolicy } from '../src/fetch-policy.ts';
import { guardedConnector, type Resolver } from '../src/guarded-connector.ts';
import { ca, Cleanup, startOrigin } from './origin.ts';

const cleanup = new Cleanup();
afterEach(() => cleanup.run());

/** The connector alone, with neither URL rules nor host list in front of it: any port, any name. */
function agentOf(resolve: Resolver, allowedPrivateAddresses: string[] = []): Agent {
  const policy = resolvePolicy({ allowedHosts: ['*'], allowedPrivateAddresses, ca });
  return cleanup.add(new Agent({ connect: guardedConnector(policy, resolve) }));
}

const addresses = (...list: string[]) => list.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));
const systemIsNotAsked: Resolver = (hostname) => Promise.reject(new Error(`${hostname} was looked up`));

const LITERALS = [
  '127.0.0.1',
  '127.1',
  '0177.1',
  '0x7f.1',
  '2130706433',
  '①②⑦.⓪.⓪.①',
  '127。0。0。1',
  '127.0.0.1.',
  '0.0.0.0',
  '0',
  '10.0.0.1',
  '172.16.0.1',
  '172.31.255.254',
  '192.168.0.1',
  '169.254.169.254',
  '100.64.0.1',
  '100.100.100.200',
  '168.63.129.16',
  '192.0.0.192',
  '192.0.2.1',
  '198.51.100.1',
  '203.0.113.1',
  '198.18.0.1',
  '224.0.0.1',
  '255.255.255.255',
  '[::]',
  '[::1]',
  '[::ffff:127.0.0.1]',
  '[::ffff:7f00:1]',
  '[::127.0.0.1]',
  '[::7f00:1]',
  '[64:ff9b::7f00:1]',
  '[2002:7f00:1::]',
  '[2001:0:7f00:1::]',
  '[fd00:ec2::254]',
  '[fe80::1]',
  '[fec0::1]',
  '[ff02::1]',
  '[2001:db8::1]',
];
const NAMES: { title: string; name: string; answer: string[] }[] = [
  { title: 'localhost', name: 'localhost', answer: ['127.0.0.1', '::1'] },
  { title: 'localhost with a trailing dot', name: 'localhost.', answer: ['127.0.0.1'] },
  { title: 'a public name of a private address', name: 'files.test', answer: ['10.1.2.3'] },
  { title: 'a public name of loopback', name: '127.0.0.1.nip.test', answer: ['127.0.0.1'] },
  { title: 'a public name of IPv6 loopback', name: 'files.test', answer: ['::1'] },
  { title: 'a public name of a mapped address', name: 'files.test', answer: ['::ffff:127.0.0.1'] },
  { title: 'a public name of an IPv4-compatible address', name: 'files.test', answer: ['::127.0.0.1'] },
  { title: 'a public name of the metadata service', name: 'metadata.test', answer: ['169.254.169.254'] },
  { title: 'a mixed answer, the bad address last', name: 'files.test', answer: ['1.1.1.1', '127.0.0.1'] },
  { title: 'a mixed answer, the bad address first', name: 'files.test', answer: ['127.0.0.1', '1.1.1.1'] },
  { title: 'an answer that is no address', name: 'files.test', answer: ['0x7f.1'] },
];

describe.each([
  { scheme: 'http', tls: false },
  { scheme: 'https', tls: true },
])('over $scheme', ({ tls }) => {
  it.each(LITERALS)('nothing is sent to the literal %s', async (host) => {
    const origin = cleanup.add(await startOrigin(undefined, { tls }));
    const dispatcher = agentOf(systemIsNotAsked);

    const refused = request(origin.url('/', host), { dispatcher });

    await expect(refused).rejects.toMatchObject({ name: 'FetchError', code: 'FORBIDDEN_URL' });
    expect(origin.connections).toEqual([]);
  });

  it.each(NAMES)('nothing is sent to $title', async ({ name, answer }) => {
    const origin = cleanup.add(await startOrigin(undefined, { tls }));
    const dispatcher = agentOf(() => Promise.resolve(addresses(...answer)));

    const refused = request(origin.url('/', name), { dispatcher });

    await expect(refused).rejects.toMatchObject({ name: 'FetchError', code: 'FORBIDDEN_URL' });
    expect(origin.connections).toEqual([]);
  });

  it('reaches the same server when its address is allowed, so the refusals above are not accidents', async () => {
    const origin = cleanup.add(await startOrigin(undefined, { tls }));
    const dispatcher = agentOf(() => Promise.resolve(addresses('127.0.0.1')), ['127.0.0.1']);

    const byAddress = await request(origin.url(), { dispatcher });
    const byName = await request(origin.url('/', 'files.test'), { dispatcher });

    expect(await byAddress.body.text()).toBe('hello');
    expect(await byName.body.text()).toBe('hello');
    expect(origin.connections).toEqual(['127.0.0.1', '127.0.0.1']);
  });

  it('an allowed address allows neither its neighbour nor another spelling of it', async () => {
    const origin = cleanup.add(await startOrigin(undefined, { tls }));
    const dispatcher = agentOf(systemIsNotAsked, ['127.0.0.1']);

    for (const host of ['127.0.0.2', '[::1]', '[::ffff:127.0.0.1]', '0.0.0.0']) {
      await expect(request(origin.url('/', host), { dispatcher })).rejects.toMatchObject({ code: 'FORBIDDEN_URL' });
    }

    expect(origin.connections).toEqual([]);
  });

  it('a name that is rebound after its first use is refused', async () => {
    const origin = cleanup.add(
      await startOrigin((_, response) => response.setHeader('connection', 'close').end(), { tls }),
    );
    const answers = [addresses('127.0.0.1'), addresses('127.0.0.2')];
    const dispatcher = agentOf(() => Promise.resolve(answers.shift() ?? []), ['127.0.0.1']);
    await request(origin.url('/', 'files.test'), { dispatcher }).then(({ body }) => body.text());

    const second = request(origin.url('/', 'files.test'), { dispatcher });

    await expect(second).rejects.toMatchObject({ code: 'FORBIDDEN_URL' });
    expect(origin.connections).toEqual(['127.0.0.1']);
  });

  it('sends no request when the address changes between the check and the connection', async () => {
    const origin = cleanup.add(await startOrigin(undefined, { tls }));
    let reads = 0;
    const shifty = {
      family: 4,
      get address() {
        reads += 1;
        return reads === 1 ? '127.0.0.1' : '127.0.0.2';
      },
    };
    const dispatcher = agentOf(() => Promise.resolve([shifty]), ['127.0.0.1']);

    const refused = request(origin.url('/', 'files.test'), { dispatcher });

    await expect(refused).rejects.toMatchObject({ code: 'FORBIDDEN_URL' });
    expect(origin.connections).toEqual(['127.0.0.2']);
    expect(origin.requests).toEqual([]);
  });

  it.each([
    { title: 'fails', resolve: () => Promise.reject(new Error('SERVFAIL')) },
    { title: 'answers with nothing', resolve: () => Promise.resolve([]) },
  ])('connects to nothing when the resolver $title', async ({ resolve }) => {
    const origin = cleanup.add(await startOrigin(undefined, { tls }));
    const dispatcher = agentOf(resolve, ['127.0.0.1']);

    await expect(request(origin.url('/', 'files.test'), { dispatcher })).rejects.toThrow(/SERVFAIL|no address/);

    expect(origin.connections).toEqual([]);
  });
});

it('keeps the forbidden address out of the message, and in the cause', async () => {
  const dispatcher = agentOf(() => Promise.resolve(addresses('10.1.2.3')));

  const error = await request('http://files.test/', { dispatcher }).catch((caught: unknown) => caught);

  expect(error).toMatchObject({ message: expect.not.stringContaining('10.1.2.3') });
  expect(error).toMatchObject({ cause: { message: 'Forbidden: 10.1.2.3' } });
});

it('checks the certificate against the name, guard or not', async () => {
  const origin = cleanup.add(await startOrigin(undefined, { tls: true }));
  const dispatcher = agentOf(() => Promise.resolve(addresses('127.0.0.1')), ['127.0.0.1']);

  const refused = request(origin.url('/', 'evil.test'), { dispatcher });

  await expect(refused).rejects.toMatchObject({ code: 'ERR_TLS_CERT_ALTNAME_INVALID' });
  expect(origin.requests).toEqual([]);
});
