import { afterEach, expect, it } from '@jest/globals';
import { FetchError, SafeFetch } from '../src/index.ts';
import { Cleanup, startOrigin } from './origin.ts';

const cleanup = new Cleanup();
afterEach(() => cleanup.run());

const lookedUp: string[] = [];
/** Resolves everything to loopback, which is forbidden: whatever passes the URL rules ends at the guard. */
function fetchFrom(...allowedHosts: string[]): SafeFetch {
  lookedUp.length = 0;
  const resolve = (hostname: string) => {
    lookedUp.push(hostname);
    return Promise.resolve([{ address: '127.0.0.1', family: 4 }]);
  };
  return cleanup.add(new SafeFetch({ allowedHosts }, { resolve }));
}
const failure = (promise: Promise<unknown>): Promise<unknown> => promise.catch((error: unknown) => error);

it.each([
  ['plain http', 'http://files.test/a.mp4'],
  ['a file', 'file:///etc/passwd'],
  ['ftp', 'ftp://files.test/a.mp4'],
  ['a data URL', 'data:video/mp4;base64,AAAA'],
  ['javascript', 'javascript:alert(1)'],
  ['another port', 'https://files.test:8443/a.mp4'],
  ['port 80', 'https://files.test:80/a.mp4'],
  ['a user name', 'https://user@files.test/a.mp4'],
  ['a password', 'https://:secret@files.test/a.mp4'],
  ['userinfo that looks like a host', 'https://files.test@evil.test/a.mp4'],
  ['a URL of 2,049 characters', `https://files.test/${'a'.repeat(2030)}`],
  ['no URL', 'files.test/a.mp4'],
  ['nothing', ''],
  ['a host with a space', 'https://files test/'],
])('with every host allowed, %s is refused', async (_, url) => {
  const fetch = fetchFrom('*');

  const error = await failure(fetch.request(url));

  expect(error).toMatchObject({ name: 'FetchError', code: 'FORBIDDEN_URL' });
  expect(lookedUp).toEqual([]);
});

it('a URL of 2,048 characters is not too long', async () => {
  const fetch = fetchFrom('*');

  await failure(fetch.request(`https://files.test/${'a'.repeat(2029)}`));

  expect(lookedUp).toEqual(['files.test']);
});

it.each([
  ['an unrelated host', 'https://evil.test/'],
  ['a name that ends alike', 'https://evil-replicate.delivery/'],
  ['a name that begins alike', 'https://replicate.delivery.evil.test/'],
  ['a subdomain that ends alike', 'https://pbxt.evil-replicate.delivery/'],
  ['a trailing dot', 'https://replicate.delivery./'],
  ['a trailing dot on a subdomain', 'https://pbxt.replicate.delivery./'],
  ['a backslash', 'https://evil.test\\@replicate.delivery/'],
  ['an encoded slash in the host', 'https://evil.test%2f.replicate.delivery/'],
  ['a look-alike letter', 'https://repl\u0456cate.delivery/'],
  ['a literal address', 'https://8.8.8.8/'],
])('with replicate.delivery and its subdomains allowed, %s is refused', async (_, url) => {
  const fetch = fetchFrom('replicate.delivery', '*.replicate.delivery');

  const error = await failure(fetch.request(url));

  expect(error).toMatchObject({ code: 'FORBIDDEN_URL' });
  expect(lookedUp).toEqual([]);
});

it.each([
  ['the name itself', 'https://replicate.delivery/a', 'replicate.delivery'],
  ['in capitals', 'https://REPLICATE.Delivery/a', 'replicate.delivery'],
  ['in full-width letters', 'https://ｒｅｐｌｉｃａｔｅ.delivery/a', 'replicate.delivery'],
  ['with the default port', 'https://replicate.delivery:443/a', 'replicate.delivery'],
  ['a subdomain', 'https://pbxt.replicate.delivery/a', 'pbxt.replicate.delivery'],
  ['a subdomain of one', 'https://a.b.replicate.delivery/a', 'a.b.replicate.delivery'],
])('with both allowed, %s goes on to the address guard', async (_, url, host) => {
  const fetch = fetchFrom('Replicate.Delivery', '*.replicate.delivery');

  const error = await failure(fetch.request(url));

  expect(lookedUp).toEqual([host]);
  expect(error).toMatchObject({
    code: 'FORBIDDEN_URL',
    url: `https://${host}/a`,
    message: expect.stringContaining('not public'),
  });
});

it('"*.name" does not allow the name itself', async () => {
  const fetch = fetchFrom('*.replicate.delivery');

  await failure(fetch.request('https://replicate.delivery/'));

  expect(lookedUp).toEqual([]);
});

it('an allowed private address may use http and any port, and only it', async () => {
  const origin = cleanup.add(await startOrigin());
  const fetch = cleanup.add(new SafeFetch({ allowedHosts: [], allowedPrivateAddresses: ['127.0.0.1'] }));

  const { body, status, url } = await fetch.request(origin.url('/a'));
  const text = await body.toArray();
  const neighbour = await failure(fetch.request(origin.url('/a', '127.0.0.2')));
  const name = await failure(fetch.request(origin.url('/a', 'localhost')));
  const userinfo = await failure(fetch.request(origin.url('/a', 'user:secret@127.0.0.1')));
  const scheme = await failure(fetch.request('ftp://127.0.0.1/a'));

  expect({ status, url, text: String(text) }).toEqual({ status: 200, url: origin.url('/a'), text: 'hello' });
  expect([neighbour, name, userinfo, scheme]).toEqual(
    Array(4).fill(expect.objectContaining({ code: 'FORBIDDEN_URL' })),
  );
  expect(origin.connections).toEqual(['127.0.0.1']);
});

it.each([
  ['a refused URL', 'https://user:SECRET@files.test/a?token=SECRET#SECRET'],
  ['a refused host', 'https://evil.test/a?X-Amz-Signature=SECRET#SECRET'],
  ['an address behind the guard', 'https://files.test/a?sig=SECRET#SECRET'],
  ['a broken URL', 'https://files.test:SECRET/'],
  ['a data URL', 'data:text/plain,SECRET'],
  ['an unreachable server', 'http://127.0.0.1:1/?token=SECRET#SECRET'],
])('%s leaves no secret in the error', async (_, url) => {
  const resolve = () => Promise.resolve([{ address: '10.0.0.1', family: 4 }]);
  const policy = { allowedHosts: ['files.test'], allowedPrivateAddresses: ['127.0.0.1'] };
  const fetch = cleanup.add(new SafeFetch(policy, { resolve }));

  const error = await failure(fetch.request(url));

  expect(error).toBeInstanceOf(FetchError);
  const { message, stack, url: reported, cause } = error as FetchError;
  expect(`${message} ${stack} ${reported} ${String(cause)}`).not.toContain('SECRET');
});

it.each([
  [{ allowedHosts: ['https://files.test'] }, 'allowedHosts'],
  [{ allowedHosts: ['files.test/path'] }, 'allowedHosts'],
  [{ allowedHosts: ['files.*'] }, 'allowedHosts'],
  [{ allowedHosts: ['*.'] }, 'allowedHosts'],
  [{ allowedHosts: [''] }, 'allowedHosts'],
  [{ allowedHosts: ['files.test:8443'] }, 'allowedHosts'],
  [{ allowedHosts: [], allowedPrivateAddresses: ['10.0.0.0/8'] }, 'allowedPrivateAddresses'],
  [{ allowedHosts: [], maxBytes: -1 }, 'maxBytes'],
  [{ allowedHosts: [], maxRedirects: 1.5 }, 'maxRedirects'],
  [{ allowedHosts: [], idleTimeoutMs: 0 }, 'idleTimeoutMs'],
  [{ allowedHosts: [], headersTimeoutMs: Number.NaN }, 'headersTimeoutMs'],
])('the policy %j is refused at once, naming %s', (policy, option) => {
  expect(() => new SafeFetch(policy)).toThrow(option);
});

it.each([
  [{}, 'allowedHosts: a list of host names is needed, not undefined.'],
  [{ allowedPrivateAddresses: ['127.0.0.1'] }, 'allowedHosts: a list of host names is needed, not undefined.'],
  [{ allowedHosts: 'files.test' }, 'allowedHosts: a list of host names is needed, not "files.test".'],
  [{ allowedHosts: [1] }, 'allowedHosts: a list of host names is needed, not [1].'],
  [{ allowedHosts: [], allowedPrivateAddresses: '::1' }, 'allowedPrivateAddresses: a list of IP addresses is needed'],
])('plain JavaScript is told what is wrong with %j', (policy, message) => {
  expect(() => Reflect.construct(SafeFetch, [policy]) as unknown).toThrow(TypeError);
  expect(() => Reflect.construct(SafeFetch, [policy]) as unknown).toThrow(message);
});

it.each([
  ['http://files.test/', 'http only for an address listed in allowedPrivateAddresses'],
  ['https://files.test:8443/', 'another one only for an address listed in allowedPrivateAddresses'],
  ['https://10.0.0.1/', 'list it in allowedPrivateAddresses'],
  ['https://evil.test/', 'Allowed: files.test, *.files.test. If it is to be trusted, add it to allowedHosts.'],
  ['https://files.test/', 'list it in allowedPrivateAddresses'],
])('the refusal of %s says which option would allow it', async (url, advice) => {
  const error = await failure(fetchFrom('files.test', '*.files.test').request(url));

  expect(error).toMatchObject({ code: 'FORBIDDEN_URL', message: expect.stringContaining(advice) });
});

it.each([
  { url: 'https://replicate.delivery/x.mp4', allowed: true },
  { url: 'https://example.com/x.mp4', allowed: true },
  { url: 'http://127.0.0.1:8080/x.mp4', allowed: true },
  { url: 'https://10.0.0.1/x.mp4', allowed: false },
  { url: 'https://[::ffff:169.254.169.254]/x.mp4', allowed: false },
  { url: 'http://example.com/x.mp4', allowed: false },
  { url: 'https://user:secret@example.com/x.mp4', allowed: false },
])('judges $url ($allowed) before it is handed to somebody else', ({ url, allowed }) => {
  const fetch = new SafeFetch({ allowedHosts: ['*'], allowedPrivateAddresses: ['127.0.0.1'] });

  const judge = () => fetch.assertAllowed(url);

  if (allowed) expect(judge).not.toThrow();
  else expect(judge).toThrow(expect.objectContaining({ code: 'FORBIDDEN_URL' }));
});
