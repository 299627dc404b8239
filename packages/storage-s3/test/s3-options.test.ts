import { describe, expect, it } from '@jest/globals';
import { S3Storage, type S3StorageOptions } from '../src/index.ts';

const good: S3StorageOptions = { bucket: 'films', region: 'eu-central-1' };

const complaint = (options: object): string => {
  try {
    new S3Storage('cloud', { ...good, ...options });
  } catch (error) {
    return (error as Error).message;
  }
  return 'no complaint';
};

describe('the options', () => {
  it.each([
    { options: { bucket: 's3://films' }, named: 'bucket must be the name of a bucket' },
    { options: { bucket: 'films/2026' }, named: 'bucket must be' },
    { options: { region: 'Frankfurt am Main' }, named: 'region must be' },
    { options: { region: undefined }, named: 'region must be' },
    { options: { endpoint: 'minio:9000' }, named: 'endpoint must be' },
    { options: { endpoint: 'http://user:word@minio' }, named: 'endpoint must be' },
    { options: { endpoint: 'http://minio/?a=b' }, named: 'endpoint must be' },
    { options: { prefix: '../films' }, named: 'prefix must be' },
    { options: { prefix: '/films' }, named: 'prefix must be' },
    { options: { storageClass: 'standard' }, named: 'storageClass must be' },
    { options: { storageClass: 'DEEP_ARCHIVE' }, named: 'storageClass must be' },
    { options: { requestChecksumCalculation: 'when_supported' }, named: 'requestChecksumCalculation must be' },
    { options: { conditionalWrites: 'false' }, named: 'conditionalWrites must be true or false, and is "false"' },
    { options: { partBytes: 1024 }, named: 'partBytes must be' },
    { options: { uploadConcurrency: 0 }, named: 'uploadConcurrency must be' },
    { options: { idleTimeoutMs: 1 }, named: 'idleTimeoutMs must be' },
    { options: { credentials: { accessKeyId: 'AKIA' } }, named: 'credentials.secretAccessKey must be' },
    { options: { acl: 'public-read' }, named: 'acl is no option' },
  ])('are refused by name: $named', ({ options, named }) => {
    expect(complaint(options)).toContain(`Storage "cloud" cannot start: ${named}`);
  });

  it('never show a secret, also when it is in the wrong place', () => {
    const shown = [
      complaint({ credentials: 'AKIAEXAMPLE:hidden' }),
      complaint({ credentials: { accessKeyId: 12, secretAccessKey: 'hidden', sessionToken: '' } }),
      complaint({ credentials: { accessKeyId: '', secretAccessKey: '', sesionToken: 'hidden' } }),
    ];

    expect(shown.join()).not.toContain('hidden');
    expect(shown.join()).toContain('credentials');
  });

  it('say what follows from them in the capabilities', () => {
    const aws = new S3Storage('s3', good).capabilities;
    const old = new S3Storage('s3', {
      ...good,
      ...{ requestChecksumCalculation: 'WHEN_REQUIRED', conditionalWrites: false },
    }).capabilities;

    expect(aws).toMatchObject({ checksums: ['crc32c'], createIfAbsent: true });
    expect(old).toMatchObject({ checksums: [], createIfAbsent: false });
  });

  it.each([
    { options: { prefix: 'archive' }, place: 's3://films/archive/a/b' },
    { options: { prefix: 'archive/2026/' }, place: 's3://films/archive/2026/a/b' },
    { options: { prefix: '' }, place: 's3://films/a/b' },
  ])('put the prefix $options.prefix before every key', ({ options, place }) => {
    expect(new S3Storage('s3', { ...good, ...options }).locate('a/b')).toBe(place);
  });

  it('refuse a key that is too long with its prefix', () => {
    const store = new S3Storage('s3', { ...good, prefix: 'p'.repeat(250) });
    const segment = 'k'.repeat(250);

    expect(() => store.locate([segment, segment, segment].join('/'))).not.toThrow();
    expect(() => store.locate([segment, segment, segment, segment].join('/'))).toThrow('longer than 1024 bytes');
  });
});
