import { createHash, createHmac } from 'node:crypto';
import type { S3Emulator } from '../src/index.ts';

export const BUCKET = 'films';

interface Keys {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
const hmac = (key: string | Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest();

/**
 * One request, signed with AWS Signature Version 4 (no SDK: nothing but this folder's own code is needed to test it).
 *
 * @param path percent-encoded; no query
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
 */
export async function askS3(
  { endpoint, region }: S3Emulator,
  keys: Keys,
  method: string,
  path: string,
  body = '',
): Promise<{ readonly status: number; readonly text: string }> {
  const time = new Date().toISOString().replace(/[-:]|\.\d+/g, '');
  const scope = [time.slice(0, 8), region, 's3', 'aws4_request'];
  const headers = { 'x-amz-content-sha256': sha256(body), 'x-amz-date': time };
  const signed = Object.entries({ host: new URL(endpoint).host, ...headers });
  const names = signed.map(([name]) => name).join(';');
  const request = [method, path, '', ...signed.map((header) => header.join(':')), '', names, sha256(body)].join('\n');
  const toSign = ['AWS4-HMAC-SHA256', time, scope.join('/'), sha256(request)].join('\n');
  const key = scope.reduce<string | Buffer>(hmac, `AWS4${keys.secretAccessKey}`);
  const authorization =
    `AWS4-HMAC-SHA256 Credential=${[keys.accessKeyId, ...scope].join('/')},` +
    `SignedHeaders=${names},Signature=${hmac(key, toSign).toString('hex')}`;

  const answer = await fetch(endpoint + path, {
    method,
    headers: { ...headers, authorization },
    ...(body !== '' && { body: Buffer.from(body) }),
  });
  return { status: answer.status, text: await answer.text() };
}

async function expectS3(server: S3Emulator, method: string, path: string, body?: string): Promise<string> {
  const { status, text } = await askS3(server, server, method, path, body);
  if (status !== 200) throw new Error(`${method} ${path}: HTTP ${status} ${text}`);
  return text;
}

const pathOf = (key: string): string => `/${BUCKET}/${key.split('/').map(encodeURIComponent).join('/')}`;

/** What the tests of both S3 servers do with them. */
export const s3Subject = {
  makeBucket: (server: S3Emulator) => expectS3(server, 'PUT', `/${BUCKET}`),
  put: (server: S3Emulator, key: string, text: string) => expectS3(server, 'PUT', pathOf(key), text),
  get: (server: S3Emulator, key: string) => expectS3(server, 'GET', pathOf(key)),
};
