import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import { AzureStorage, type AzureStorageOptions } from '../src/index.ts';

const run = promisify(execFile);
const accountUrl = 'https://films.blob.core.windows.net';
const container = 'films';
const key = Buffer.alloc(64, 7).toString('base64');
const sas = 'sv=2026-02-06&ss=b&srt=co&sp=rwdl&se=2030-01-01T00:00:00Z&sig=c2VjcmV0%3D';
const connection = `DefaultEndpointsProtocol=https;AccountName=films;AccountKey=${key};EndpointSuffix=core.windows.net`;
const good = { accountUrl, container, credential: key };

const starting =
  (options: unknown): (() => AzureStorage) =>
  () =>
    new AzureStorage('az', options as AzureStorageOptions);

describe('options', () => {
  it.each([
    { options: undefined, says: 'options must be an object with accountUrl and container' },
    { options: { accountUrl, credential: key }, says: 'container must be the name of a container' },
    { options: { ...good, container: 'Films' }, says: 'and is "Films"' },
    { options: { ...good, container: 'a--b' }, says: 'container must be' },
    { options: { ...good, container: 'ab' }, says: 'container must be' },
    { options: { container, credential: key }, says: 'accountUrl must be the address of the account' },
    { options: { ...good, accountUrl: 'films' }, says: 'accountUrl must be an https URL' },
    { options: { ...good, accountUrl: 'ftp://films.blob.core.windows.net' }, says: 'accountUrl must be' },
    { options: { ...good, accountUrl: `${accountUrl}/films` }, says: 'without container' },
    { options: { ...good, accountUrl: `${accountUrl}/?${sas}` }, says: 'accountUrl must be' },
    {
      options: { ...good, accountUrl: 'https://media.example.com' },
      says: 'a domain of your own needs a connection string',
    },
    { options: { ...good, credential: 'hunter2' }, says: 'is none of them (7 characters)' },
    { options: { ...good, credential: 7 }, says: 'credential must be an account key' },
    { options: { ...good, credential: 'AccountName=films;AccountKey=' }, says: 'cannot be read' },
    { options: { accountUrl: 'http://films.blob.core.windows.net', container }, says: 'must begin with https://' },
    {
      options: { accountUrl: 'http://films.blob.core.windows.net', container, credential: 'sv=2024-01-01&sig=abc' },
      says: 'must begin with https://',
    },
    { options: { ...good, prefix: '/films' }, says: 'prefix must be a folder' },
    { options: { ...good, prefix: 'a//b' }, says: 'prefix must be a folder' },
    { options: { ...good, accessTier: 'Archive' }, says: 'what is in Archive cannot be read' },
    { options: { ...good, partBytes: 1000 }, says: 'partBytes must be a whole number of bytes from 65536' },
    { options: { ...good, uploadConcurrency: 0 }, says: 'uploadConcurrency must be' },
    { options: { ...good, idleTimeoutMs: 1.5 }, says: 'idleTimeoutMs must be' },
    { options: { ...good, bucket: 'x' }, says: 'bucket is no option' },
  ])('$options are refused at start: $says', ({ options, says }) => {
    const start = starting(options);

    expect(start).toThrow(expect.objectContaining({ code: 'INVALID_CONFIG', storage: 'az', scope: 'local' }));
    expect(start).toThrow(says);
    expect(start).toThrow('Storage "az" cannot start');
  });

  it('never repeat a credential, whatever is wrong', () => {
    const secret = 'hunter2hunter2';
    const all = [
      secret,
      7,
      `AccountKey=${secret}`,
      `${connection};BlobEndpoint=${secret}`,
      `SharedAccessSignature=${secret}`,
    ];

    for (const credential of all) {
      expect(starting({ ...good, credential })).toThrow();
      expect(starting({ ...good, credential })).not.toThrow(secret);
      expect(starting({ ...good, credential })).not.toThrow(key);
    }
  });

  it.each([
    { what: 'an account key', credential: key, links: 604_800 },
    { what: 'an account key with a line break from a file', credential: `${key}\n`, links: 604_800 },
    { what: 'a SAS token', credential: sas, links: 0 },
    { what: 'a SAS token with its question mark', credential: `?${sas}`, links: 0 },
    { what: 'a connection string', credential: connection, links: 604_800 },
    {
      what: 'a connection string with a SAS token',
      credential: `BlobEndpoint=${accountUrl}/;SharedAccessSignature=${sas}`,
      links: 0,
    },
    { what: 'a TokenCredential', credential: { getToken: () => Promise.resolve(null) }, links: 603_900 },
    { what: 'nothing: DefaultAzureCredential', credential: undefined, links: 603_900 },
  ])('take $what', async ({ credential, links }) => {
    const store = starting({ accountUrl, container, ...(credential === undefined ? {} : { credential }) })();

    expect(store.capabilities.signedUrl).toEqual(links === 0 ? false : { maxTtlSeconds: links });
    expect(store.locate('a b')).toBe(`${accountUrl}/films/a%20b`);
    await store.close();
  });

  it('need no account URL with a connection string, and take one that agrees', () => {
    expect(starting({ container, credential: connection })().locate('a')).toBe(`${accountUrl}/films/a`);
    expect(starting({ ...good, accountUrl: `${accountUrl}/`, credential: connection })().locate('a')).toBe(
      `${accountUrl}/films/a`,
    );
    const other = starting({ ...good, accountUrl: 'https://other.blob.core.windows.net', credential: connection });
    expect(other).toThrow('but the connection string is for https://films.blob.core.windows.net');
  });

  it('take the connection string of the emulator, and one for a domain of your own', () => {
    const emulator = starting({ container, credential: 'UseDevelopmentStorage=true' })();
    const domain = `AccountName=films;AccountKey=${key};BlobEndpoint=https://media.example.com`;

    expect(emulator.locate('a')).toBe('http://127.0.0.1:10000/devstoreaccount1/films/a');
    expect(starting({ container, credential: domain })().locate('a')).toBe('https://media.example.com/films/a');
  });

  it('take a prefix with or without a slash at its end', () => {
    for (const prefix of ['of/tenant', 'of/tenant/']) {
      expect(starting({ ...good, prefix })().locate('a')).toBe(`${accountUrl}/films/of/tenant/a`);
    }
  });

  it('count the prefix into the length of a key', () => {
    const store = starting({ ...good, prefix: 'p' })();
    const longest = `${'k'.repeat(255)}/`.repeat(4).slice(0, 1022);

    expect(() => store.locate(longest)).not.toThrow();
    expect(() => store.locate(`${longest}k`)).toThrow(expect.objectContaining({ code: 'INVALID_KEY' }));
  });
});

it('loads @azure/identity only where a credential is looked for', async () => {
  const script = `
    import { registerHooks } from 'node:module';
    let loaded = false;
    registerHooks({ resolve: (name, context, next) => { loaded ||= name === '@azure/identity'; return next(name, context); } });
    const { AzureStorage } = await import('@paradoxon/storage-azure');
    const check = async (options) => {
      const store = new AzureStorage('az', { accountUrl: 'https://127.0.0.1:9/films', container: 'films', ...options });
      await store.head('a').catch(() => undefined);
      return loaded;
    };
    const loads = [await check({ credential: '${key}' }), await check({ credential: '${sas}' }), await check({})];
    console.log(loads.join(' '));
  `;
  // an identity that is looked for in one place, where it is not: nothing is asked over the network
  const env = { ...process.env, AZURE_TOKEN_CREDENTIALS: 'EnvironmentCredential' };
  const args = ['--conditions=@paradoxon/source', '--input-type=module', '-e', script];
  const { stdout } = await run(process.execPath, args, { env, cwd: import.meta.dirname });

  expect(stdout.trim()).toBe('false false true');
});
