import { invalid } from './gcs-error.ts';

/** `Content-Range` of a request in an upload session. Offsets and lengths in bytes; `end` is the last one, inclusive. */
export type ContentRange =
  // `bytes */N` or `bytes */*`: how far are we?
  | { readonly kind: 'query'; readonly total: number | undefined }
  | {
      readonly kind: 'bytes';
      readonly start: number;
      // unknown in `bytes a-*/…`, which clients send that stream: the body's end is the object's
      readonly end: number | undefined;
      readonly total: number | undefined;
    };

const RANGE = /^bytes (?:\*|(\d+)-(\d+|\*))\/(\d+|\*)$/;

/**
 * @param header without one, the body is the whole object
 * @throws GcsError 400
 */
export function contentRange(header: string | undefined, bodyBytes: number): ContentRange {
  if (header === undefined) return { kind: 'bytes', start: 0, end: bodyBytes - 1, total: bodyBytes };
  const match = RANGE.exec(header);
  if (!match) throw invalid(`Failed to parse Content-Range header: ${header}`);
  const [start, end, total] = match.slice(1).map((number) => (number === '*' ? undefined : number));
  const known = total === undefined ? undefined : Number(total);
  if (start === undefined) return { kind: 'query', total: known };
  return { kind: 'bytes', start: Number(start), end: end === undefined ? undefined : Number(end), total: known };
}
