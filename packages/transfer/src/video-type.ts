import { StorageError } from '@paradoxon/storage';
import { fileTypeFromBuffer } from 'file-type';

export interface VideoType {
  readonly contentType: 'video/mp4' | 'video/webm' | 'video/quicktime' | 'video/matroska';
  /** Without a dot: 'mp4', 'webm', 'mov', 'mkv'. */
  readonly extension: string;
}

/** How many first bytes are looked at. */
export const SNIFFED_BYTES = 4100;

/** By the MIME type that file-type reports. */
const VIDEOS: Readonly<Record<string, VideoType>> = {
  'video/mp4': { contentType: 'video/mp4', extension: 'mp4' },
  // Apple's name for an MP4
  'video/x-m4v': { contentType: 'video/mp4', extension: 'mp4' },
  'video/webm': { contentType: 'video/webm', extension: 'webm' },
  'video/quicktime': { contentType: 'video/quicktime', extension: 'mov' },
  'video/matroska': { contentType: 'video/matroska', extension: 'mkv' },
};

/**
 * Looks at the bytes, not at a name or a header: an error page called `.mp4` is a page.
 *
 * @param firstBytes the first `SNIFFED_BYTES`, or all there are
 * @throws StorageError `NOT_A_VIDEO`, saying what it looks like
 */
export async function sniffVideo(firstBytes: Uint8Array, sourceName: string): Promise<VideoType> {
  const found = await fileTypeFromBuffer(firstBytes);
  const video = found && VIDEOS[found.mime];
  if (video) return video;
  throw new StorageError(
    'NOT_A_VIDEO',
    `${sourceName} is not a video (MP4, WebM, QuickTime, Matroska): it looks like ${found?.mime ?? looksLike(firstBytes)}.`,
    { scope: 'source' },
  );
}

/** What file-type has no signature for, but error pages are made of. */
function looksLike(bytes: Uint8Array): string {
  if (bytes.byteLength === 0) return 'nothing: it is empty';
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8').trimStart();
  if (/^<(!doctype\s+html|html|head|body)\b/i.test(text)) return 'an HTML page';
  if (/^<[?a-z]/i.test(text)) return 'XML';
  if (/^[{[]\s*["{[\]}\d]/.test(text)) return 'JSON';
  if (!/[\p{Cc}\uFFFD]/u.test(text.replace(/\s/g, '').slice(0, 200))) return 'text';
  return `binary data that begins with ${Buffer.from(bytes.subarray(0, 8)).toString('hex')}`;
}
