import { describe, expect, it, jest } from '@jest/globals';
import { GcsStorage } from '../src/index.ts';

const refused = (options: object): Error => {
  try {
    return new GcsStorage('gcs', { bucket: 'films', ...options }) as unknown as Error;
  } catch (error) {
    return error as Error;
  }
};

describe('options', () => {
  it.each([
    ['bucket', { bucket: '' }],
    ['bucket', { bucket: 'gs://films' }],
    ['bucket', { bucket: 'Films' }],
    ['projectId', { projectId: '' }],
    ['keyFilename', { keyFilename: '' }],
    ['keyFilename', { keyFilename: '/a', credentials: { type: 'external_account' } }],
    ['credentials', { credentials: '{}' }],
    ['credentials', { credentials: { client_email: 'a@b' } }],
    ['endpoint', { endpoint: 'storage.googleapis.com' }],
    ['endpoint', { endpoint: 'http://storage.example' }],
    ['endpoint', { endpoint: 'https://storage.example/v1' }],
    ['endpoint', { endpoint: 'https://me:secret@storage.example' }],
    ['prefix', { prefix: '/archive' }],
    ['prefix', { prefix: 'a//b' }],
    ['prefix', { prefix: '..' }],
    ['storageClass', { storageClass: 'GLACIER' }],
    ['partBytes', { partBytes: 0 }],
    ['partBytes', { partBytes: 1000 * 1000 }],
    ['partBytes', { partBytes: 2 ** 31 }],
    ['uploadConcurrency', { uploadConcurrency: 0 }],
    ['uploadConcurrency', { uploadConcurrency: 1.5 }],
    ['idleTimeoutMs', { idleTimeoutMs: 1 }],
    ['region', { region: 'EU' }],
  ])('refuse a bad %s at the start: %j', (name, options) => {
    expect(refused(options)).toMatchObject({
      code: 'INVALID_CONFIG',
      storage: 'gcs',
      message: expect.stringContaining(`${name} `),
    });
  });

  it('never show a credential', () => {
    const { message } = refused({ credentials: 'a secret', endpoint: 'nowhere' });

    expect(message).toContain('credentials must be');
    expect(message).not.toContain('a secret');
  });

  it.each([
    ['https://storage.googleapis.com', 'https://storage.googleapis.com'],
    ['https://storage-films.p.googleapis.com/', 'https://storage-films.p.googleapis.com'],
    ['http://localhost:4443', 'http://localhost:4443'],
  ])('take the endpoint %s', (endpoint, used) => {
    const store = new GcsStorage('gcs', { bucket: 'films', endpoint });

    expect(store.native().apiEndpoint).toBe(used);
  });

  it.each([
    ['', 'gs://films/a'],
    ['archive', 'gs://films/archive/a'],
    ['archive/', 'gs://films/archive/a'],
  ])('take the prefix "%s"', (prefix, place) => {
    expect(new GcsStorage('gcs', { bucket: 'films', prefix }).locate('a')).toBe(place);
  });

  it('are quiet: nothing is printed at the start', async () => {
    const warn = jest.spyOn(console, 'warn').mockImplementation(() => undefined);

    const store = new GcsStorage('gcs', { bucket: 'films', credentials: { client_email: 'a@b', private_key: 'x' } });
    await store.native().authClient.getClient();

    expect(warn).not.toHaveBeenCalled();
    warn.mockRestore();
  });
});
