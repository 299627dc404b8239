import { describe, expect, it } from '@jest/globals';
import { redactUrls } from '../src/index.ts';

const SECRET = 'SECRETsecretSECRET';

describe('a text loses what grants access in it', () => {
  it.each([
    {
      title: 'an S3 URL',
      text: `GET https://b.s3.eu-central-1.amazonaws.com/films/1.mp4?X-Amz-Credential=AKIA%2F20261122&X-Amz-Signature=${SECRET} failed`,
      left: 'GET https://b.s3.eu-central-1.amazonaws.com/films/1.mp4?… failed',
    },
    {
      title: 'a GCS URL',
      text: `https://storage.googleapis.com/b/o.mp4?X-Goog-Algorithm=GOOG4-RSA-SHA256&X-Goog-Signature=${SECRET}`,
      left: 'https://storage.googleapis.com/b/o.mp4?…',
    },
    {
      title: 'an Azure URL',
      text: `https://a.blob.core.windows.net/c/o.mp4?sv=2026-02-06&se=2026-11-22T10%3A00%3A00Z&sr=b&sig=${SECRET}%3D.`,
      left: 'https://a.blob.core.windows.net/c/o.mp4?…',
    },
    {
      title: 'a JWT in a query',
      text: `to https://replicate.delivery/x/out.mp4?_jwt=eyJ0.eyJz.${SECRET}, then`,
      left: 'to https://replicate.delivery/x/out.mp4?… then',
    },
    {
      title: 'a link to a local object, with the apostrophe that encodeURIComponent leaves',
      text: `http://127.0.0.1:3000/v1/storages/disk/objects/it's%20me.mp4?expires=1&signature=${SECRET}`,
      left: "http://127.0.0.1:3000/v1/storages/disk/objects/it's%20me.mp4?…",
    },
    {
      title: 'an apostrophe in the query',
      text: `https://h/p?filename='x'&X-Amz-Signature=${SECRET} x`,
      left: 'https://h/p?… x',
    },
    { title: 'a fragment', text: `https://h/p#access_token=${SECRET}`, left: 'https://h/p#…' },
    { title: 'user information', text: `https://user:${SECRET}@h/p`, left: 'https://h/p' },
    { title: 'a user alone', text: `https://${SECRET}@h:8443/p`, left: 'https://h:8443/p' },
    { title: "an '@' in a password", text: `https://u:${SECRET}@x@h/p`, left: 'https://h/p' },
    {
      title: 'a connection string',
      text: `postgres://app:${SECRET}@db:5432/app?ssl=1`,
      left: 'postgres://db:5432/app?…',
    },
    { title: "a password with '?'", text: `postgres://app:p?${SECRET}@db/app`, left: 'postgres://…?…' },
    { title: "a password with '#'", text: `redis://app:1p#${SECRET}@db/0`, left: 'redis://…#…' },
    { title: "a password with '/'", text: `postgres://app:p/${SECRET}@db/app`, left: 'postgres://…' },
    {
      title: 'a URL in the path of another',
      text: `https://proxy/https://u:${SECRET}@h/p?sig=${SECRET}`,
      left: 'https://proxy/https://h/p?…',
    },
    {
      title: 'JSON of a server that escapes & as \\u0026',
      text: `{"url":"https://h/p?X-Amz-Date=1\\u0026X-Amz-Signature=${SECRET}","id":1}`,
      left: '{"url":"https://h/p?…","id":1}',
    },
    {
      title: 'JSON of a server that escapes slashes',
      text: `{"url":"https:\\/\\/u:${SECRET}@h\\/p?sig=${SECRET}"}`,
      left: '{"url":"https:\\/\\/h\\/p?…"}',
    },
    { title: 'XML', text: `<Url>https://h/p?a=1&amp;sig=${SECRET}</Url>`, left: '<Url>https://h/p?…</Url>' },
    { title: 'capital letters', text: `HTTPS://H/P?SIG=${SECRET}`, left: 'HTTPS://H/P?…' },
    { title: 'a scheme of ours', text: `s3://b/k?versionId=${SECRET}`, left: 's3://b/k?…' },
    { title: 'a URL right behind a word', text: `source_https://h/p?sig=${SECRET}`, left: 'source_https://h/p?…' },
    {
      title: 'several URLs',
      text: `https://a/1?sig=${SECRET} and (https://b/2?sig=${SECRET}) and "https://u:${SECRET}@c/3"`,
      left: 'https://a/1?… and (https://b/2?… and "https://c/3"',
    },
    {
      title: 'a path without its host',
      text: `GET /v1/objects/a.mp4?expires=1&signature=${SECRET} 403`,
      left: 'GET /v1/objects/a.mp4?expires=1&signature=… 403',
    },
    {
      title: 'a URL with a space in its path',
      text: `https://h/my film.mp4?X-Amz-Security-Token=${SECRET}&x-id=GetObject`,
      left: 'https://h/my film.mp4?X-Amz-Security-Token=…&x-id=GetObject',
    },
    {
      title: 'a connection string of Azure',
      text: `DefaultEndpointsProtocol=https;AccountName=a;AccountKey=${SECRET}==;EndpointSuffix=core.windows.net`,
      left: 'DefaultEndpointsProtocol=https;AccountName=a;AccountKey=…',
    },
  ])('$title', ({ text, left }) => {
    expect(redactUrls(text)).toBe(left);
    expect(redactUrls(text)).not.toContain(SECRET);
    expect(redactUrls(redactUrls(text))).toBe(left);
  });
});

describe('a text keeps', () => {
  it.each([
    'no URL in here: 50 % of a/b, time 12:30, a@b.example',
    'could not reach http://127.0.0.1:9000: connection refused',
    'see https://example.com/docs/errors (or http://[::1]:3000/x), then https://h:443, and https://h/p?',
    'file:///data/objects/films/1.mp4',
    'data:video/mp4;base64,AAAA',
    'Key "films/what?.mp4" is taken. Is it yours?',
    '',
  ])('%j as it is', (text) => {
    expect(redactUrls(text)).toBe(text);
  });

  it('its speed when it is long and full of what begins like a URL', () => {
    const before = performance.now();

    for (const text of [
      'a.'.repeat(100_000),
      'a://'.repeat(50_000),
      `https://${'a:'.repeat(100_000)}`,
      '&token'.repeat(50_000),
    ]) {
      redactUrls(text);
    }

    expect(performance.now() - before).toBeLessThan(1000);
  });
});
