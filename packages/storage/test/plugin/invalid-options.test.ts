import { describe, expect, it } from '@jest/globals';
import { invalidOptions, type OptionIssue } from '../../src/plugin/index.ts';

const isSecret = (name: string): boolean => ['key', 'password', 'keys'].includes(name);

const message = (issues: readonly OptionIssue[], options: unknown): string =>
  invalidOptions('films', issues, options, isSecret).message;

it('is one INVALID_CONFIG of the storage for everything that is wrong', () => {
  const error = invalidOptions(
    'films',
    [
      { path: ['bucket'], message: 'the name of a bucket' },
      { path: ['partBytes'], message: 'a number of bytes from 5 MiB on' },
      { path: [], message: '', code: 'unrecognized_keys', keys: ['buckt'] },
    ],
    { partBytes: 12, buckt: 'films' },
  );

  expect(error).toMatchObject({ code: 'INVALID_CONFIG', scope: 'local', retry: 'never', storage: 'films' });
  expect(error.message).toBe(
    'Storage "films" cannot start: bucket must be the name of a bucket, and is missing; ' +
      'partBytes must be a number of bytes from 5 MiB on, and is 12; buckt is no option.',
  );
});

describe('a value', () => {
  it.each<{ value: unknown; shown: string }>([
    { value: 'not "this"', shown: '"not \\"this\\""' },
    { value: '', shown: '""' },
    { value: 'x'.repeat(300), shown: `"${'x'.repeat(200)}"` },
    { value: 0, shown: '0' },
    { value: false, shown: 'false' },
    { value: null, shown: 'of type null' },
    { value: { secret: 'hidden' }, shown: 'of type object' },
    { value: undefined, shown: 'missing' },
  ])('is shown as $shown', ({ value, shown }) => {
    expect(message([{ path: ['region'], message: 'a region' }], { region: value })).toBe(
      `Storage "films" cannot start: region must be a region, and is ${shown}.`,
    );
  });

  it('in an option of an option is named with its path', () => {
    const issues = [
      { path: ['links', 'baseUrl'], message: 'a URL' },
      { path: ['hosts', 1], message: 'a host' },
      { path: ['credentials', 'id'], message: 'an id' },
      { path: ['links'], code: 'unrecognized_keys', keys: ['ttl', 'base'], message: '' },
    ];

    expect(message(issues, { links: { baseUrl: 'ftp:', ttl: 1, base: 2 }, hosts: ['a', ''] })).toBe(
      'Storage "films" cannot start: links.baseUrl must be a URL, and is "ftp:"; hosts.1 must be a host, and is ""; ' +
        'credentials.id must be an id, and is missing; links.ttl, links.base is no option.',
    );
  });

  it.each([
    { options: undefined, shown: 'missing' },
    { options: 'films', shown: '"films"' },
  ])('that is no options at all is $shown', ({ options, shown }) => {
    expect(message([{ path: [], message: 'an object with bucket' }], options)).toBe(
      `Storage "films" cannot start: options must be an object with bucket, and is ${shown}.`,
    );
  });
});

describe('a secret', () => {
  it.each<{ title: string; path: PropertyKey[]; options: unknown; shown: string }>([
    { title: 'too short', path: ['key'], options: { key: 'hunter2' }, shown: '7 characters long' },
    { title: 'empty', path: ['key'], options: { key: '' }, shown: '0 characters long' },
    { title: 'missing', path: ['key'], options: {}, shown: 'missing' },
    { title: 'a number', path: ['password'], options: { password: 271828 }, shown: 'of type number' },
    {
      title: 'in an option',
      path: ['links', 'key'],
      options: { links: { key: 'hunter2' } },
      shown: '7 characters long',
    },
    { title: 'one of several', path: ['keys', 0], options: { keys: ['hunter2'] }, shown: '7 characters long' },
  ])('that is $title is not shown', ({ path, options, shown }) => {
    const text = message([{ path, message: 'a secret' }], options);

    expect(text).not.toMatch(/hunter|271828/);
    expect(text).toContain(`must be a secret, and is ${shown}.`);
  });

  it('in a URL that is no secret otherwise is taken out', () => {
    const text = message([{ path: ['endpoint'], message: 'a URL' }], { endpoint: 'https://me:hunter2@s3.example' });

    expect(text).toContain('"https://s3.example"');
  });
});

it('says one thing once: a value may break several rules', () => {
  const issue = { path: ['bucket'], message: 'the name of a bucket' };

  expect(message([issue, { ...issue, code: 'too_small' }], { bucket: '' })).toBe(
    'Storage "films" cannot start: bucket must be the name of a bucket, and is "".',
  );
});
