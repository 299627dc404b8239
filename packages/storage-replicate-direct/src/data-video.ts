import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { type OpenOptions, resolveRange, StorageError } from '@paradoxon/storage';
import type { OpenedVideo, VideoInfo } from './video-info.ts';

/** Replicate's own clients put at most 10 MB into a data URL. */
const MAX_BYTES = 10 * 1000 ** 2;
const DATA_VIDEO = /^data:(video\/[a-z0-9.+-]+)(?:;[^;,]*)*;base64,/i;

export const isDataUrl = (url: string): boolean => /^data:/i.test(url);

export function headDataVideo(url: string): VideoInfo {
  return decode(url).info;
}

export function openDataVideo(url: string, { range, ifMatch }: OpenOptions): OpenedVideo {
  const { bytes, info } = decode(url);
  if (ifMatch !== undefined && ifMatch !== info.etag) {
    throw new StorageError('PRECONDITION_FAILED', 'The video is not the version that was named.', { scope: 'source' });
  }
  if (!range) return { ...info, body: Readable.from(bytes, { objectMode: false }) };
  const { start, end } = resolveRange(range, bytes.length);
  return { ...info, range: { start, end }, body: Readable.from(bytes.subarray(start, end + 1), { objectMode: false }) };
}

/**
 * Decodes a video that a prediction carries in itself: with `Prefer: wait`, Replicate may answer so.
 * @throws StorageError `UNSUPPORTED` when it is no video or not in base64, `TOO_LARGE` above 10 MB
 */
function decode(url: string): { bytes: Buffer; info: VideoInfo } {
  const head = DATA_VIDEO.exec(url);
  if (!head?.[1]) {
    throw new StorageError('UNSUPPORTED', 'Of data URLs, only data:video/…;base64 can be read.', { scope: 'source' });
  }
  const encoded = url.slice(head[0].length);
  if (encoded.length > Math.ceil(MAX_BYTES / 3) * 4) {
    throw new StorageError('TOO_LARGE', `A data URL of more than ${MAX_BYTES} bytes is not read.`, { scope: 'source' });
  }
  const bytes = Buffer.from(encoded, 'base64');
  const md5 = createHash('md5').update(bytes).digest('hex');
  return {
    bytes,
    info: {
      size: bytes.length,
      contentType: head[1].toLowerCase(),
      etag: `"${md5}"`,
      metadata: {},
      checksums: { md5 },
    },
  };
}
