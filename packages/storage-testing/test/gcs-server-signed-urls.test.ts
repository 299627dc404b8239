import { createHash, sign } from 'node:crypto';
import { type GetSignedUrlConfig } from '@google-cloud/storage';
import { expect, it } from '@jest/globals';
import type { GcsServer } from '../src/index.ts';
import { ask, noise, sdkOf, startServer } from './gcs-client.ts';

const FILM = noise(10_000);
const SHA256 = createHash('sha256').update(FILM).digest('hex');
const NAME = "scene 1/täke (7)'s!.mp4";

/** A V4 URL that the SDK signs with the key of an account. */
async function signedUrl(
  server: GcsServer,
  options: Partial<GetSignedUrlConfig> = {},
  account?: string,
  name = NAME,
): Promise<string> {
  const file = (await sdkOf(server, server.serviceAccount(account))).bucket('films').file(name);
  const [url] = await file.getSignedUrl({ version: 'v4', action: 'read', expires: Date.now() + 60_000, ...options });
  return url;
}

/** The text of an element in an XML error. */
const element = (body: Buffer, name: string): string | undefined =>
  new RegExp(`<${name}>([^]*)</${name}>`).exec(body.toString())?.[1];

it('serves an object to whoever has the link, whole, in part and its head', async () => {
  const server = await startServer();
  server.put('films', NAME, FILM, { contentType: 'video/mp4' });
  const url = await signedUrl(server);

  const whole = await ask(url);
  const part = await ask(url, { headers: { range: 'bytes=10-19' } });
  const head = await ask(url, { method: 'HEAD' });

  expect(whole.status).toBe(200);
  expect(whole.body.equals(FILM)).toBe(true);
  expect(whole.headers).toMatchObject({
    'content-type': 'video/mp4',
    'accept-ranges': 'bytes',
    etag: '"5a85ace101810bd4e66035a185332d8e"',
    'x-goog-hash': 'crc32c=3JC1Mw==, md5=WoWs4QGBC9TmYDWhhTMtjg==',
    'x-goog-stored-content-length': '10000',
  });
  expect([part.status, part.headers['content-range']]).toEqual([206, 'bytes 10-19/10000']);
  expect(part.body.equals(FILM.subarray(10, 20))).toBe(true);
  expect([head.status, head.headers['content-length'], head.body.byteLength]).toEqual([200, '10000', 0]);
});

it('takes a host that is signed with its port, which the SDK leaves out', async () => {
  const server = await startServer();
  server.put('films', 'a.mp4', FILM);
  const { client_email, private_key } = server.serviceAccount();
  const date = `${new Date().toISOString().slice(0, 19).replace(/[-:]/g, '')}Z`;
  const scope = `${date.slice(0, 8)}/auto/storage/goog4_request`;
  const query = [
    'X-Goog-Algorithm=GOOG4-RSA-SHA256',
    `X-Goog-Credential=${encodeURIComponent(`${client_email}/${scope}`)}`,
    `X-Goog-Date=${date}`,
    'X-Goog-Expires=60',
    'X-Goog-SignedHeaders=host',
  ].join('&');
  const canonical = `GET\n/films/a.mp4\n${query}\nhost:127.0.0.1:${server.port}\n\nhost\nUNSIGNED-PAYLOAD`;
  const toSign = `GOOG4-RSA-SHA256\n${date}\n${scope}\n${createHash('sha256').update(canonical).digest('hex')}`;

  const signature = sign('RSA-SHA256', Buffer.from(toSign), private_key).toString('hex');
  const { status } = await ask(`${server.endpoint}/films/a.mp4?${query}&X-Goog-Signature=${signature}`);

  expect(status).toBe(200);
});

it('is called by name and type as the link says', async () => {
  const server = await startServer();
  server.put('films', NAME, FILM, { contentType: 'video/mp4' });
  const url = await signedUrl(server, { responseType: 'video/x-own', promptSaveAs: 'my film.mp4' });

  const { headers } = await ask(url);

  expect(headers['content-type']).toBe('video/x-own');
  expect(headers['content-disposition']).toMatch(/^attachment; ?filename="my film.mp4"$/);
});

it.each([
  ['another object', (url: string) => url.replace('scene%201', 'scene%202')],
  ['another life', (url: string) => url.replace(/X-Goog-Expires=\d+/, 'X-Goog-Expires=604800')],
  ['another signature', (url: string) => url.replace(/.$/, (digit) => (digit === '0' ? '1' : '0'))],
  ['one more parameter', (url: string) => `${url}&response-content-type=text%2Fhtml`],
])('refuses a link that was altered to %s', async (_title, alter) => {
  const server = await startServer();
  for (const name of [NAME, NAME.replace('1', '2')]) server.put('films', name, FILM);
  const url = await signedUrl(server);

  const { status, headers, body } = await ask(alter(url));

  expect(alter(url)).not.toBe(url);
  expect(status).toBe(403);
  expect(headers['content-type']).toBe('application/xml; charset=UTF-8');
  expect(element(body, 'Code')).toBe('SignatureDoesNotMatch');
  expect(element(body, 'StringToSign')).toMatch(/^GOOG4-RSA-SHA256\n\d{8}T\d{6}Z\n/);
  expect(element(body, 'CanonicalRequest')).toMatch(/^GET\n\/films\/scene%20/);
});

it('refuses a link for reading when something is written, and the key of an account that is not known', async () => {
  const server = await startServer();
  const stranger = await startServer({ serviceAccounts: { stranger: {} } });
  server.put('films', NAME, FILM);
  const foreign = await signedUrl(stranger, {}, 'stranger');

  const written = await ask(await signedUrl(server), { method: 'PUT', body: 'other' });
  const unknown = await ask(foreign.replace(stranger.endpoint, server.endpoint));

  expect([written.status, element(written.body, 'Code')]).toEqual([403, 'SignatureDoesNotMatch']);
  expect([unknown.status, element(unknown.body, 'Code')]).toEqual([403, 'SignatureDoesNotMatch']);
  expect(FILM.equals(server.objects('films')[0]?.bytes ?? Buffer.alloc(0))).toBe(true);
});

it('refuses a link from its second on, and one that is shortened by hand as expired', async () => {
  const accessibleAt = new Date(Math.floor(Date.now() / 1000) * 1000);
  const expires = new Date(accessibleAt.getTime() + 60_000);
  let now = accessibleAt;
  const server = await startServer({ now: () => now });
  server.put('films', NAME, FILM);
  const url = await signedUrl(server, { accessibleAt, expires });

  now = expires;
  const last = await ask(url);
  const shortened = await ask(url.replace('X-Goog-Expires=60', 'X-Goog-Expires=1'));
  now = new Date(expires.getTime() + 1000);
  const expired = await ask(url);

  expect(last.status).toBe(200);
  expect([shortened.status, element(shortened.body, 'Code')]).toEqual([400, 'ExpiredToken']);
  expect(expired.status).toBe(400);
  expect(expired.body.toString()).toBe(
    "<?xml version='1.0' encoding='UTF-8'?><Error><Code>ExpiredToken</Code><Message>Invalid argument.</Message>" +
      '<Details>The provided token has expired. Request signature expired at: ' +
      `${expires.toISOString().slice(0, 19)}+00:00</Details></Error>`,
  );
});

it('refuses a link from a clock that is an hour early', async () => {
  const server = await startServer({ now: () => new Date(Date.now() - 3600_000) });
  server.put('films', NAME, FILM);

  const { status, body } = await ask(await signedUrl(server));

  expect([status, element(body, 'Code')]).toEqual([403, 'RequestTimeTooSkewed']);
});

it.each([
  ['X-Goog-Algorithm', 'GOOG4-HMAC-SHA256'],
  ['X-Goog-Credential', 'somebody'],
  ['X-Goog-Date', 'yesterday'],
  ['X-Goog-Expires', '604801'],
])('calls a wrong %s malformed', async (parameter, value) => {
  const server = await startServer();
  const url = new URL(await signedUrl(server));
  url.searchParams.set(parameter, value);

  const { status, body } = await ask(url.href);

  expect([status, element(body, 'Code')]).toEqual([400, 'MalformedSecurityHeader']);
});

it('takes an upload under a link, with the headers that were signed and no others', async () => {
  const server = await startServer();
  const url = await signedUrl(server, {
    action: 'write',
    contentType: 'video/mp4',
    extensionHeaders: { 'x-goog-meta-take': '7', 'x-goog-if-generation-match': '0', 'x-goog-content-sha256': SHA256 },
  });
  const headers = {
    'content-type': 'video/mp4',
    'x-goog-meta-take': '7',
    'x-goog-if-generation-match': '0',
    'x-goog-content-sha256': SHA256,
  };

  const missing = await ask(url, { method: 'PUT', headers: { ...headers, 'content-type': [] }, body: FILM });
  const different = await ask(url, { method: 'PUT', headers: { ...headers, 'content-type': 'text/html' }, body: FILM });
  const unsigned = await ask(url, { method: 'PUT', headers: { ...headers, 'x-goog-acl': 'public-read' }, body: FILM });
  expect(server.objects('films')).toEqual([]);
  const written = await ask(url, { method: 'PUT', headers, body: FILM });
  const again = await ask(url, { method: 'PUT', headers, body: FILM });

  expect([missing.status, element(missing.body, 'ParameterName')]).toEqual([400, 'content-type']);
  expect([different.status, element(different.body, 'Code')]).toEqual([403, 'SignatureDoesNotMatch']);
  expect([unsigned.status, element(unsigned.body, 'ParameterName')]).toEqual([400, 'x-goog-acl']);
  expect([written.status, written.headers['x-goog-stored-content-length']]).toEqual([200, '10000']);
  expect(server.objects('films')[0]).toMatchObject({
    name: NAME,
    metadata: { contentType: 'video/mp4', metadata: { take: '7' } },
    crc32c: '3JC1Mw==',
  });
  expect([again.status, element(again.body, 'Code')]).toEqual([412, 'PreconditionFailed']);
});

it.each([
  ['Content-MD5', 'content-md5', Buffer.alloc(16).toString('base64'), 'BadDigest'],
  ['CRC32C', 'x-goog-hash', 'crc32c=AAAAAA==', 'CrcMismatch'],
])('refuses an upload under a link whose %s is wrong', async (_title, header, value, code) => {
  const server = await startServer();
  const url = await signedUrl(server, { action: 'write', extensionHeaders: { [header]: value } });

  const { status, body } = await ask(url, { method: 'PUT', headers: { [header]: value }, body: FILM });

  expect([status, element(body, 'Code')]).toEqual([400, code]);
  expect(server.objects('films')).toEqual([]);
});

it('lets under a link for writing only who may write, and only who may delete replace', async () => {
  const server = await startServer({
    serviceAccounts: {
      reader: { permissions: ['storage.objects.get'] },
      writer: { permissions: ['storage.objects.create'] },
    },
  });
  const write = async (account: string): Promise<unknown[]> => {
    const { status, body } = await ask(await signedUrl(server, { action: 'write' }, account), {
      method: 'PUT',
      body: FILM,
    });
    return [status, element(body, 'Code'), /storage[.\w]+/.exec(element(body, 'Details') ?? '')?.[0]];
  };

  expect(await write('reader')).toEqual([403, 'AccessDenied', 'storage.objects.create']);
  expect(await write('writer')).toEqual([200, undefined, undefined]);
  expect(await write('writer')).toEqual([403, 'AccessDenied', 'storage.objects.delete']);
});

it('says in XML what is not there, what one may not, and what cannot be served', async () => {
  const server = await startServer({
    serviceAccounts: { admin: {}, writer: { permissions: ['storage.objects.create'] } },
  });
  server.put('films', NAME, FILM);
  const good = await signedUrl(server);

  const absent = await ask(await signedUrl(server, {}, 'admin', 'a&b.mp4'));
  const bucket = await ask(good.replace('/films/', '/elsewhere/'));
  const denied = await ask(await signedUrl(server, {}, 'writer'));
  const stranger = await ask(good.replace(/\?.*/, ''));
  const range = await ask(good, { headers: { range: 'bytes=10000-' } });

  const codes = [absent, bucket, denied, stranger, range].map(({ status, body }) => [status, element(body, 'Code')]);
  expect(codes).toEqual([
    [404, 'NoSuchKey'],
    [404, 'NoSuchBucket'],
    [403, 'AccessDenied'],
    [403, 'AccessDenied'],
    [416, 'InvalidRange'],
  ]);
  expect(element(absent.body, 'Details')).toBe('No such object: films/a&amp;b.mp4');
  expect(element(denied.body, 'Details')).toMatch(/^writer@.* does not have storage.objects.get access/);
  expect(element(stranger.body, 'Details')).toMatch(/^Anonymous caller does not have storage.objects.get access/);
  expect(range.headers['content-range']).toBe('bytes */10000');
});

it('lets a token read there, too', async () => {
  const server = await startServer();
  server.put('films', 'a.mp4', FILM);
  const headers = { authorization: `Bearer ${server.accessToken()}` };

  const { status, body } = await ask(`${server.endpoint}/films/a.mp4`, { headers });
  const wrong = await ask(`${server.endpoint}/films/a.mp4`, { headers: { authorization: 'Bearer x' } });

  expect([status, body.equals(FILM)]).toEqual([200, true]);
  expect([wrong.status, element(wrong.body, 'Code')]).toEqual([401, 'AuthenticationRequired']);
});

const CORS = [
  {
    origin: ['https://films.example'],
    method: ['GET', 'HEAD'],
    responseHeader: ['Range', 'Content-Range'],
    maxAgeSeconds: 60,
  },
];

it('lets pages of a named origin play, and no others', async () => {
  const server = await startServer({ buckets: { films: { cors: CORS } } });
  server.put('films', NAME, FILM);
  const url = await signedUrl(server);

  const named = await ask(url, { headers: { origin: 'https://films.example' } });
  const other = await ask(url, { headers: { origin: 'https://other.example' } });
  const refused = await ask(url.replace(/.$/, 'z'), { headers: { origin: 'https://films.example' } });

  expect(named.headers).toMatchObject({
    'access-control-allow-origin': 'https://films.example',
    'access-control-expose-headers': 'Range, Content-Range',
    vary: 'Origin',
  });
  expect([other.status, other.headers['access-control-allow-origin']]).toEqual([200, undefined]);
  expect([refused.status, refused.headers['access-control-allow-origin']]).toEqual([403, 'https://films.example']);
});

it.each([
  ['a page that may', { origin: 'https://films.example', method: 'GET', headers: 'range' }, 'https://films.example'],
  ['another origin', { origin: 'https://other.example', method: 'GET', headers: 'range' }, undefined],
  ['another method', { origin: 'https://films.example', method: 'PUT', headers: 'range' }, undefined],
  ['another header', { origin: 'https://films.example', method: 'GET', headers: 'x-own' }, undefined],
])('answers the preflight of %s', async (_title, { origin, method, headers }, allowed) => {
  const server = await startServer({ buckets: { films: { cors: CORS } } });

  const answer = await ask(`${server.endpoint}/films/a.mp4`, {
    method: 'OPTIONS',
    headers: { origin, 'access-control-request-method': method, 'access-control-request-headers': headers },
  });

  expect(answer.status).toBe(200);
  expect(answer.headers['access-control-allow-origin']).toBe(allowed);
  expect(answer.headers['access-control-allow-methods']).toBe(allowed && 'GET, HEAD');
  expect(answer.headers['access-control-allow-headers']).toBe(allowed && 'Range, Content-Range');
  expect(answer.headers['access-control-max-age']).toBe(allowed && '60');
});

it('lets any page play when the bucket says so', async () => {
  const server = await startServer({ buckets: { films: { cors: [{ origin: ['*'], method: ['GET'] }] } } });
  server.put('films', NAME, FILM);

  const { headers } = await ask(await signedUrl(server), { headers: { origin: 'https://any.example' } });

  expect(headers['access-control-allow-origin']).toBe('*');
});
