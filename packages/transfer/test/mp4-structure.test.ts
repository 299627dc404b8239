import { expect, it } from '@jest/globals';
import { Mp4Structure } from '../src/mp4-structure.ts';
import { box, mp4 } from './fixtures/video-bytes.ts';

const ftyp = box(16, 'ftyp', Buffer.alloc(8));
const moov = box(16, 'moov', Buffer.alloc(8));
const mdat = box(12, 'mdat', Buffer.alloc(4));
/** Size 1: the true size follows as 64 bits. */
const longMdat = Buffer.concat([box(1, 'mdat', Buffer.from([0, 0, 0, 0, 0, 0, 0, 20])), Buffer.alloc(4)]);
/** Size 0: to the end of the file, wherever that is. */
const endlessMdat = box(0, 'mdat', Buffer.alloc(4));

it.each([
  { title: 'ftyp, moov, mdat', boxes: [ftyp, moov, mdat], whole: true },
  { title: 'the index behind the media, 64-bit size', boxes: [ftyp, longMdat, moov], whole: true },
  { title: 'no media yet', boxes: [ftyp, moov], whole: false },
  { title: 'no index yet', boxes: [ftyp, mdat], whole: false },
  { title: 'the last byte is missing', boxes: [ftyp, moov, mdat.subarray(0, -1)], whole: false },
  { title: 'half a header at the end', boxes: [ftyp, moov, mdat, moov.subarray(0, 5)], whole: false },
  { title: 'a box without an end', boxes: [ftyp, moov, endlessMdat], whole: false },
  { title: 'no MP4 at all', boxes: [Buffer.from('<html>moov mdat</html>')], whole: false },
  { title: 'nothing', boxes: [], whole: false },
])('$title: whole is $whole', ({ boxes, whole }) => {
  const atOnce = new Mp4Structure();
  const byteByByte = new Mp4Structure();

  const bytes = Buffer.concat(boxes);
  atOnce.update(bytes);
  for (const byte of bytes) byteByByte.update(Buffer.from([byte]));

  expect(atOnce.whole).toBe(whole);
  expect(byteByByte.whole).toBe(whole);
});

it('believes no cut of a real layout', () => {
  const bytes = mp4(300);

  for (let end = 0; end < bytes.byteLength; end += 1) {
    const structure = new Mp4Structure();
    structure.update(bytes.subarray(0, end));
    expect({ end, whole: structure.whole }).toEqual({ end, whole: false });
  }
});
