import { expect, it } from '@jest/globals';
import { checksumDifference, comparedAlgorithm, ContentHash } from '../src/content-hash.ts';

// "123456789" is what checksum catalogues give as the example of each algorithm
const CHECK = Buffer.from('123456789');

it('computes the published check values, however the bytes are cut', () => {
  const hash = new ContentHash(['crc32c', 'md5', 'crc64nvme']);

  for (const byte of CHECK) hash.update(Buffer.from([byte]));

  expect(hash.size).toBe(9);
  expect(hash.digest()).toEqual({
    sha256: '15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225',
    md5: '25f9e794323b453885f5181f1b624d0b',
    crc32c: 'e3069283',
  });
});

it('writes a small CRC32C with its leading zeros', () => {
  const hash = new ContentHash(['crc32c']);

  expect(hash.digest().crc32c).toBe('00000000');
});

it('computes only SHA-256 when nobody asks for more', () => {
  const hash = new ContentHash();

  expect(Object.keys(hash.digest())).toEqual(['sha256']);
});

it.each([
  { advertised: { md5: 'a', crc32c: 'b' }, compared: 'crc32c' },
  { advertised: { md5: 'a' }, compared: 'md5' },
  { advertised: { md5: 'a', sha256: 'c' }, compared: 'sha256' },
  { advertised: { crc64nvme: 'd' }, compared: undefined },
])('compares $advertised by $compared', ({ advertised, compared }) => {
  expect(comparedAlgorithm(advertised)).toBe(compared);
});

it('finds a difference in any algorithm that both sides know, and only there', () => {
  const ours = { sha256: 'aa', crc32c: 'bb' };

  expect(checksumDifference(ours, { sha256: 'AA', md5: 'other' })).toBeUndefined();
  expect(checksumDifference(ours, { sha256: 'aa', crc32c: 'cc' })).toContain('crc32c');
});
