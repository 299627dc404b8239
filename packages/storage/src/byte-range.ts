import { StorageError } from './storage-error.ts';

/** Offsets in bytes, both ends inclusive, as in HTTP; without `end`: to the end. Or the last `suffix` bytes. */
export type ByteRange = { readonly start: number; readonly end?: number } | { readonly suffix: number };

/** How a GET is to be answered (RFC 9110 §14). */
export type RangeAnswer =
  | { readonly status: 200 }
  | { readonly status: 206; readonly start: number; readonly end: number }
  | { readonly status: 416 };

const RANGE_HEADER = /^bytes=[ \t]*(?:(\d+)-(\d*)|-(\d+))[ \t]*$/i;

/**
 * Reads a `Range` request header. Several ranges, another unit and bad syntax are answered with the whole object, as
 * RFC 9110 allows.
 *
 * @param header the header's value, if any
 * @param size the whole object, bytes
 */
export function parseRange(header: string | undefined, size: number): RangeAnswer {
  const match = RANGE_HEADER.exec(header ?? '');
  if (!match) return { status: 200 };
  const [, start, end, suffix] = match;
  if (suffix !== undefined) return answer({ suffix: Number(suffix) }, size);
  if (end && Number(end) < Number(start)) return { status: 200 };
  return answer({ start: Number(start), ...(end ? { end: Number(end) } : {}) }, size);
}

/**
 * What a range means for an object of this size.
 * @returns both ends inclusive; an end behind the last byte is cut
 * @throws StorageError `RANGE_NOT_SATISFIABLE` when no byte of the object is in it
 */
export function resolveRange(range: ByteRange, size: number): { start: number; end: number } {
  const answered = answer(range, size);
  if (answered.status === 206) return { start: answered.start, end: answered.end };
  throw new StorageError(
    'RANGE_NOT_SATISFIABLE',
    `Range ${rangeHeader(range)} does not fit an object of ${size} bytes.`,
    { scope: 'local' },
  );
}

/** The `Range` request header for a range. */
export function rangeHeader(range: ByteRange): string {
  return 'suffix' in range ? `bytes=-${range.suffix}` : `bytes=${range.start}-${range.end ?? ''}`;
}

function answer(range: ByteRange, size: number): Exclude<RangeAnswer, { status: 200 }> {
  if ('suffix' in range) {
    if (!(range.suffix >= 1) || size === 0) return { status: 416 };
    return { status: 206, start: Math.max(0, size - range.suffix), end: size - 1 };
  }
  const end = Math.min(range.end ?? Infinity, size - 1);
  const served = Number.isInteger(range.start) && range.start >= 0 && range.start <= end;
  return served ? { status: 206, start: range.start, end } : { status: 416 };
}
