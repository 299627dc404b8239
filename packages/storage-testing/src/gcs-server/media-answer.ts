import type { OutgoingHttpHeaders } from 'node:http';
import { parseRange } from '@paradoxon/storage';
import { GcsError } from './gcs-error.ts';
import type { GcsBucket, GcsObject } from './object-store.ts';
import { answer, type Answer } from './wire.ts';

/**
 * An object's bytes, or a range of them, under the headers that both APIs send.
 *
 * @param own headers of the API in question
 * @throws GcsError 416 `requestedRangeNotSatisfiable`
 */
export function mediaAnswer(
  bucket: GcsBucket,
  object: GcsObject,
  rangeHeader: string | undefined,
  own: OutgoingHttpHeaders,
): Answer {
  const size = object.bytes.byteLength;
  const range = parseRange(rangeHeader, size);
  if (range.status === 416) {
    throw new GcsError(416, 'requestedRangeNotSatisfiable', 'Request range not satisfiable', {
      headers: { 'content-range': `bytes */${size}` },
    });
  }
  const { contentType, contentDisposition, contentEncoding, contentLanguage, cacheControl, storageClass, metadata } =
    object.metadata;
  const headers: OutgoingHttpHeaders = {
    'content-type': contentType ?? 'application/octet-stream',
    ...(contentDisposition === undefined ? {} : { 'content-disposition': contentDisposition }),
    ...(contentEncoding === undefined ? {} : { 'content-encoding': contentEncoding }),
    ...(contentLanguage === undefined ? {} : { 'content-language': contentLanguage }),
    ...(cacheControl === undefined ? {} : { 'cache-control': cacheControl }),
    'accept-ranges': 'bytes',
    'last-modified': object.timeCreated.toUTCString(),
    'x-goog-generation': String(object.generation),
    'x-goog-metageneration': String(object.metageneration),
    'x-goog-storage-class': storageClass ?? bucket.options.storageClass ?? 'STANDARD',
    'x-goog-stored-content-encoding': contentEncoding ?? 'identity',
    'x-goog-stored-content-length': String(size),
    ...Object.fromEntries(Object.entries(metadata ?? {}).map(([key, value]) => [`x-goog-meta-${key}`, value])),
    ...own,
  };
  if (range.status === 200) return answer(200, headers, object.bytes);
  const { start, end } = range;
  return answer(
    206,
    { ...headers, 'content-range': `bytes ${start}-${end}/${size}` },
    object.bytes.subarray(start, end + 1),
  );
}
