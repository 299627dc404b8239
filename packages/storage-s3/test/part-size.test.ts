import { expect, it } from '@jest/globals';
import { MAX_OBJECT_BYTES, partBytesFor } from '../src/part-size.ts';

const MiB = 1024 ** 2;

it.each([
  { title: 'a body of unknown size', totalBytes: undefined, partMiB: 8 },
  { title: 'an empty object', totalBytes: 0, partMiB: 8 },
  { title: 'exactly 10,000 parts', totalBytes: 80_000 * MiB, partMiB: 8 },
  { title: 'one byte more', totalBytes: 80_000 * MiB + 1, partMiB: 9 },
  { title: 'the largest object', totalBytes: MAX_OBJECT_BYTES, partMiB: 525 },
])('$title is cut into parts of $partMiB MiB', ({ totalBytes, partMiB }) => {
  expect(partBytesFor(totalBytes, 8 * MiB)).toBe(partMiB * MiB);
});

it('one byte more than the largest object is refused', () => {
  expect(() => partBytesFor(MAX_OBJECT_BYTES + 1, 8 * MiB)).toThrow('exceed');
});
