import { describe, expect, it } from '@jest/globals';
import { type ByteRange, parseRange, type RangeAnswer, rangeHeader, resolveRange, StorageError } from '../src/index.ts';

const served = (start: number, end: number): RangeAnswer => ({ status: 206, start, end });
const WHOLE: RangeAnswer = { status: 200 };
const NOTHING: RangeAnswer = { status: 416 };

describe('a Range header', () => {
  it.each<{ title: string; header: string | undefined; size: number; answer: RangeAnswer }>([
    { title: 'none', header: undefined, size: 10, answer: WHOLE },
    { title: 'the first byte', header: 'bytes=0-0', size: 10, answer: served(0, 0) },
    { title: 'the last byte', header: 'bytes=9-9', size: 10, answer: served(9, 9) },
    { title: 'the middle', header: 'bytes=2-5', size: 10, answer: served(2, 5) },
    { title: 'to the end', header: 'bytes=3-', size: 10, answer: served(3, 9) },
    { title: 'everything', header: 'bytes=0-', size: 10, answer: served(0, 9) },
    { title: 'an end behind the last byte', header: 'bytes=5-99', size: 10, answer: served(5, 9) },
    { title: 'a suffix', header: 'bytes=-3', size: 10, answer: served(7, 9) },
    { title: 'a suffix longer than the object', header: 'bytes=-99', size: 10, answer: served(0, 9) },
    { title: 'a suffix of nothing', header: 'bytes=-0', size: 10, answer: NOTHING },
    { title: 'a start at the end', header: 'bytes=10-', size: 10, answer: NOTHING },
    { title: 'a start behind the end', header: 'bytes=11-20', size: 10, answer: NOTHING },
    { title: 'a range of an empty object', header: 'bytes=0-0', size: 0, answer: NOTHING },
    { title: 'all of an empty object', header: 'bytes=0-', size: 0, answer: NOTHING },
    { title: 'a suffix of an empty object', header: 'bytes=-1', size: 0, answer: NOTHING },
    { title: 'several ranges', header: 'bytes=0-1,4-5', size: 10, answer: WHOLE },
    { title: 'another unit', header: 'seconds=0-1', size: 10, answer: WHOLE },
    { title: 'another case of the unit', header: 'BYTES=0-1', size: 10, answer: served(0, 1) },
    { title: 'spaces around', header: 'bytes= 0-1 ', size: 10, answer: served(0, 1) },
    { title: 'an end before the start', header: 'bytes=5-2', size: 10, answer: WHOLE },
    { title: 'no numbers', header: 'bytes=-', size: 10, answer: WHOLE },
    { title: 'a negative number', header: 'bytes=--5', size: 10, answer: WHOLE },
    { title: 'a number with a sign', header: 'bytes=+1-2', size: 10, answer: WHOLE },
    { title: 'a fraction', header: 'bytes=0.5-1', size: 10, answer: WHOLE },
    { title: 'hexadecimal', header: 'bytes=0x0-0x1', size: 10, answer: WHOLE },
    { title: 'digits that are not ASCII', header: 'bytes=٠-١', size: 10, answer: WHOLE },
    { title: 'nothing behind the unit', header: 'bytes=', size: 10, answer: WHOLE },
    { title: 'no equals sign', header: 'bytes 0-1', size: 10, answer: WHOLE },
    { title: 'leading zeros', header: 'bytes=000-001', size: 10, answer: served(0, 1) },
    { title: 'a huge end', header: 'bytes=1-99999999999999999999', size: 10, answer: served(1, 9) },
    { title: 'a huge start', header: 'bytes=99999999999999999999-', size: 10, answer: NOTHING },
    { title: 'an end beyond all numbers', header: `bytes=0-${'9'.repeat(400)}`, size: 10, answer: served(0, 9) },
    { title: 'a suffix beyond all numbers', header: `bytes=-${'9'.repeat(400)}`, size: 10, answer: served(0, 9) },
    { title: 'a start beyond all numbers', header: `bytes=${'9'.repeat(400)}-`, size: 10, answer: NOTHING },
    { title: 'a tebibyte', header: 'bytes=1099511627775-', size: 2 ** 40, answer: served(2 ** 40 - 1, 2 ** 40 - 1) },
  ])('that asks for $title is answered with $answer', ({ header, size, answer }) => {
    expect(parseRange(header, size)).toEqual(answer);
  });
});

describe('a range in a call', () => {
  it.each<{ range: ByteRange; size: number; start: number; end: number; header: string }>([
    { range: { start: 0, end: 0 }, size: 10, start: 0, end: 0, header: 'bytes=0-0' },
    { range: { start: 4 }, size: 10, start: 4, end: 9, header: 'bytes=4-' },
    { range: { start: 4, end: 99 }, size: 10, start: 4, end: 9, header: 'bytes=4-99' },
    { range: { suffix: 4 }, size: 10, start: 6, end: 9, header: 'bytes=-4' },
    { range: { suffix: 99 }, size: 10, start: 0, end: 9, header: 'bytes=-99' },
  ])(
    '$range of $size bytes means $start to $end, and is asked for as $header',
    ({ range, size, start, end, header }) => {
      expect(resolveRange(range, size)).toEqual({ start, end });
      expect(rangeHeader(range)).toBe(header);
      expect(parseRange(rangeHeader(range), size)).toEqual(served(start, end));
    },
  );

  it.each<{ range: ByteRange; size: number }>([
    { range: { start: 10 }, size: 10 },
    { range: { start: 0 }, size: 0 },
    { range: { suffix: 0 }, size: 10 },
    { range: { suffix: -1 }, size: 10 },
    { range: { suffix: NaN }, size: 10 },
    { range: { start: 5, end: 2 }, size: 10 },
    { range: { start: -1, end: 2 }, size: 10 },
    { range: { start: NaN }, size: 10 },
    { range: { start: 0.5, end: 2 }, size: 10 },
    { range: { start: 0, end: NaN }, size: 10 },
  ])('$range is refused for $size bytes, before any byte is read', ({ range, size }) => {
    const resolve = () => resolveRange(range, size);

    expect(resolve).toThrow(StorageError);
    expect(resolve).toThrow(expect.objectContaining({ code: 'RANGE_NOT_SATISFIABLE', scope: 'local' }));
    expect(resolve).toThrow(`${size} bytes`);
  });
});
