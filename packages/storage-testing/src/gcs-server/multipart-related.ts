import { invalid } from './gcs-error.ts';

/** The two parts of an upload with `uploadType=multipart` (RFC 2387). */
export interface RelatedParts {
  /** The object resource, JSON. */
  readonly resource: string;
  readonly media: Buffer;
  readonly mediaType?: string;
}

/**
 * @param contentType the request's, with its boundary
 * @throws GcsError 400 when the body is not two complete parts
 */
export function relatedParts(contentType: string | undefined, body: Buffer): RelatedParts {
  const [, quoted, bare] = /^multipart\/related\s*;.*\bboundary=(?:"([^"]+)"|([^;\s]+))/i.exec(contentType ?? '') ?? [];
  const boundary = quoted ?? bare;
  if (boundary === undefined) throw invalid('Multipart upload without a boundary.');
  const parts = partsOf(body, boundary);
  const [resource, media] = parts;
  if (!resource || !media || parts.length > 2) throw invalid('Multipart body must have two parts.');
  return {
    resource: resource.content.toString(),
    media: media.content,
    ...(media.type === undefined ? {} : { mediaType: media.type }),
  };
}

interface Part {
  readonly type: string | undefined;
  readonly content: Buffer;
}

function partsOf(body: Buffer, boundary: string): Part[] {
  const parts: Part[] = [];
  // the line break before a boundary belongs to it; the first one may stand at the very beginning
  const text = Buffer.concat([Buffer.from('\r\n'), body]);
  const mark = Buffer.from(`\r\n--${boundary}`);
  let at = text.indexOf(mark);
  while (at >= 0) {
    const begin = at + mark.byteLength;
    if (text.subarray(begin, begin + 2).toString() === '--') return parts;
    const end = text.indexOf(mark, begin);
    const blank = text.indexOf('\r\n\r\n', begin);
    // also when there is no end
    if (blank < 0 || blank > end) break;
    const [, type] = /^content-type:[ \t]*(.+?)[ \t]*$/im.exec(text.subarray(begin, blank).toString()) ?? [];
    parts.push({ type, content: text.subarray(blank + 4, end) });
    at = end;
  }
  throw invalid('Missing end boundary in multipart body.');
}
