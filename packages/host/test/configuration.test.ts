import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { environmentSchema, parseConfiguration } from '../src/index.ts';

describe('parseConfiguration', () => {
  it('needs nothing: hybrid, the local store, the embedded database, loopback', () => {
    const configuration = parseConfiguration({ DATA_DIR: '/tmp/data' });

    expect(configuration).toMatchObject({
      strategy: 'hybrid',
      storages: ['local'],
      localStorageDir: '/tmp/data/storage',
      database: { folder: '/tmp/data/database' },
      host: '127.0.0.1',
      port: 3000,
    });
  });

  it.each([
    { profile: 'development', strategy: 'direct' },
    { profile: 'production', strategy: 'hybrid' },
    { profile: 'archive', strategy: 'cloud' },
  ])('takes the strategy $strategy from the profile $profile', ({ profile, strategy }) => {
    expect(parseConfiguration({ PARADOXON_PROFILE: profile }).strategy).toBe(strategy);
  });

  it('lets STORAGE_STRATEGY win over the profile', () => {
    const environment = { PARADOXON_PROFILE: 'archive', STORAGE_STRATEGY: 'direct' };

    expect(parseConfiguration(environment).strategy).toBe('direct');
  });

  it('counts an empty value as absent', () => {
    expect(parseConfiguration({ STORAGE_STRATEGY: '', PORT: '' }).port).toBe(3000);
  });

  it.each([
    {
      environment: { STORAGE_STRATEGY: 'cloudy' },
      says: 'STORAGE_STRATEGY is "cloudy": allowed is direct, cloud, hybrid.',
    },
    { environment: { PORT: '70000' }, says: 'PORT is "70000": must be at most 65535.' },
    { environment: { PORT: 'web' }, says: 'PORT is "web": must be a number.' },
    { environment: { STORAGES: 'local,dropbox' }, says: 'STORAGES is "local,dropbox": there is no store dropbox.' },
    { environment: { STORAGES: ',' }, says: 'STORAGES is ",": must be at least 1 item.' },
    {
      environment: { SOURCE_PRIVATE_ADDRESSES: '10.0.0.0/8' },
      says: 'SOURCE_PRIVATE_ADDRESSES is "10.0.0.0/8": must be exact IP addresses.',
    },
    {
      environment: { HOST: '0.0.0.0' },
      says: 'HOST is "0.0.0.0": without API keys the service listens on loopback only',
    },
  ])('names variable, value and what is allowed: $says', ({ environment, says }) => {
    expect(() => parseConfiguration(environment)).toThrow(says);
  });

  it('never repeats a secret', () => {
    const environment = { DATABASE_URL: 'mysql://user:hunter2@db/films' };

    expect(() => parseConfiguration(environment)).toThrow(
      'DATABASE_URL is set, and not shown here: must be a URL like',
    );
    expect(() => parseConfiguration(environment)).not.toThrow('hunter2');
  });

  it('reports all bad variables at once', () => {
    expect(() => parseConfiguration({ PORT: '-1', LOG_LEVEL: 'loud' })).toThrow(/PORT[\s\S]*LOG_LEVEL/);
  });
});

describe('clouds', () => {
  const s3 = { AWS_S3_BUCKET: 'films', AWS_REGION: 'eu-central-1' };
  const gcs = { GCS_BUCKET_NAME: 'films' };
  const azure = { AZURE_STORAGE_ACCOUNT_URL: 'https://a.blob.core.windows.net', AZURE_CONTAINER_NAME: 'films' };

  it('are on when their variables are there, and are then what films are copied to', () => {
    expect(parseConfiguration({ ...s3, ...gcs, ...azure }).storages).toEqual(['s3', 'gcs', 'azure']);
    expect(parseConfiguration({ ...gcs, LOCAL_STORAGE_DIR: '/films' }).storages).toEqual(['gcs', 'local']);
  });

  it('may be on without being copied to: STORAGES says where films go, and in which order they are played', () => {
    const { storages, clouds } = parseConfiguration({ ...s3, ...gcs, STORAGES: 'local, gcs' });

    expect(storages).toEqual(['local', 'gcs']);
    expect(Object.keys(clouds)).toEqual(['s3', 'gcs']);
  });

  it('are known by the names that the film generator uses', () => {
    const { storages } = parseConfiguration({ ...s3, ...gcs, ...azure, STORAGES: 'azure_blob,gcs,aws_s3' });

    expect(storages).toEqual(['azure', 'gcs', 's3']);
  });

  it.each([
    { environment: { AWS_S3_BUCKET: 'films' }, says: 'AWS_REGION is missing: AWS_S3_BUCKET is set.' },
    { environment: { STORAGES: 'aws_s3' }, says: 'AWS_S3_BUCKET and AWS_REGION is missing: STORAGES lists s3.' },
    {
      environment: { ...s3, AWS_ACCESS_KEY: 'AKIA1' },
      says: 'AWS_SECRET_KEY is missing: AWS_S3_BUCKET, AWS_ACCESS_KEY is set.',
    },
    { environment: { ...s3, AWS_SECRET_KEY: 'x' }, says: 'AWS_ACCESS_KEY is missing' },
    { environment: { GCS_PREFIX: 'films/' }, says: 'GCS_BUCKET_NAME is missing: GCS_PREFIX is set.' },
    {
      environment: { AZURE_STORAGE_CREDENTIAL: 'k' },
      says: 'AZURE_CONTAINER_NAME and AZURE_STORAGE_ACCOUNT_URL is missing: AZURE_STORAGE_CREDENTIAL is set.',
    },
    { environment: { AZURE_CONTAINER_NAME: 'films' }, says: 'AZURE_STORAGE_ACCOUNT_URL is missing' },
    { environment: { ...s3, AWS_S3_FORCE_PATH_STYLE: 'maybe' }, says: 'AWS_S3_FORCE_PATH_STYLE is "maybe"' },
    { environment: { ...s3, AWS_S3_ENDPOINT: 'minio:9000' }, says: 'must be a URL like https://s3.example.com' },
  ])('half set are refused: $says', ({ environment, says }) => {
    expect(() => parseConfiguration(environment)).toThrow(says);
  });

  it('need no account URL beside a connection string, which names the account', () => {
    const AZURE_STORAGE_CREDENTIAL = 'DefaultEndpointsProtocol=https;AccountName=a;AccountKey=a2V5';

    expect(parseConfiguration({ AZURE_CONTAINER_NAME: 'films', AZURE_STORAGE_CREDENTIAL }).storages).toEqual(['azure']);
  });

  it('are not switched on by what AWS and Google set for everybody', () => {
    const environment = { AWS_REGION: 'eu-central-1', GOOGLE_APPLICATION_CREDENTIALS: '/key.json' };

    expect(parseConfiguration(environment).storages).toEqual(['local']);
  });

  it('never show a secret', () => {
    expect(() => parseConfiguration({ AWS_ACCESS_KEY: 'AKIAX', AWS_SECRET_KEY: 'hunter2' })).not.toThrow(
      /hunter2|AKIAX/,
    );
  });
});

describe('docs/configuration.md', () => {
  it('has exactly the variables of the schema, with their defaults and meanings', async () => {
    const text = await readFile(join(import.meta.dirname, '../../../docs/configuration.md'), 'utf8');
    const rows = text.split('\n').filter((line) => line.startsWith('| `'));

    const expected = Object.entries(environmentSchema.shape).map(([name, schema]) => {
      const standard = schema.safeParse(undefined);
      const value = standard.success && String(standard.data ?? '') !== '' ? `\`${String(standard.data)}\`` : '';
      return `| \`${name}\` | ${value} | ${schema.description ?? ''} |`;
    });

    // prettier pads the table; what stands in the cells is what counts
    const cells = (row: string) => row.split('|').map((cell) => cell.trim());
    expect(rows.map(cells)).toEqual(expected.map(cells));
  });
});
