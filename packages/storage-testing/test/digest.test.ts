import { expect, it } from '@jest/globals';
import { digestOf } from '../src/digest.ts';

// the check values of the catalogue of parametrised CRC algorithms, and of RFC 1321 and FIPS 180
it.each([
  ['crc32c', 'e3069283'],
  ['crc64nvme', 'ae8b14860a799888'],
  ['md5', '25f9e794323b453885f5181f1b624d0b'],
  ['sha256', '15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225'],
] as const)('%s of "123456789" is %s', (algorithm, hex) => {
  expect(digestOf(algorithm, Buffer.from('123456789'))).toBe(hex);
});

it('keeps the leading zeros of a CRC', () => {
  expect(digestOf('crc32c', Buffer.alloc(0))).toBe('00000000');
  expect(digestOf('crc64nvme', Buffer.alloc(0))).toBe('0000000000000000');
});
