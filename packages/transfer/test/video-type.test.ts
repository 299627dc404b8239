import { expect, it } from '@jest/globals';
import { sniffVideo } from '../src/video-type.ts';
import { box, mp4 } from './fixtures/video-bytes.ts';

const ftyp = (brand: string) => box(24, 'ftyp', Buffer.from(`${brand}\0\0\x02\0isommp42`, 'latin1'));
const ebml = (docType: string) =>
  Buffer.concat([
    Buffer.from([0x1a, 0x45, 0xdf, 0xa3, 0x80 | (docType.length + 3), 0x42, 0x82, 0x80 | docType.length]),
    Buffer.from(docType),
  ]);

it.each([
  { title: 'an MP4', bytes: mp4(5000), contentType: 'video/mp4', extension: 'mp4' },
  { title: "Apple's M4V", bytes: ftyp('M4V '), contentType: 'video/mp4', extension: 'mp4' },
  { title: 'QuickTime', bytes: ftyp('qt  '), contentType: 'video/quicktime', extension: 'mov' },
  { title: 'WebM', bytes: ebml('webm'), contentType: 'video/webm', extension: 'webm' },
  { title: 'Matroska', bytes: ebml('matroska'), contentType: 'video/matroska', extension: 'mkv' },
])('takes $title for what it is', async ({ bytes, contentType, extension }) => {
  expect(await sniffVideo(bytes, 'x')).toEqual({ contentType, extension });
});

it.each([
  { looks: 'HTML', bytes: '\n <!DOCTYPE html><html><title>404' },
  { looks: 'HTML', bytes: '<html lang="en">' },
  { looks: 'JSON', bytes: '{"detail":"requested file not found"}' },
  { looks: 'xml', bytes: '<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>' },
  { looks: 'text', bytes: 'Service temporarily unavailable\n' },
  { looks: 'empty', bytes: '' },
  { looks: 'image/png', bytes: '\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\b\0\0\0\0\0\0\0\0' },
  { looks: 'audio/x-m4a', bytes: ftyp('M4A ').toString('latin1') },
  { looks: '0102030405', bytes: '\x01\x02\x03\x04\x05' },
])('refuses $looks and says so', async ({ looks, bytes }) => {
  await expect(sniffVideo(Buffer.from(bytes, 'latin1'), 'https://h/a.mp4')).rejects.toMatchObject({
    code: 'NOT_A_VIDEO',
    scope: 'source',
    retry: 'never',
    message: expect.stringMatching(new RegExp(`https://h/a.mp4 .*${looks}`, 'i')),
  });
});
