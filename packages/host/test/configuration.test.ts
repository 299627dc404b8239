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
    { environment: { STORAGES: 'local,dropbox' }, says: 'STORAGES is "local,dropbox": allowed is local.' },
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
