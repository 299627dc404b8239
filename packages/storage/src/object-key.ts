import { StorageError } from './storage-error.ts';

export const MAX_KEY_BYTES = 1024;
export const MAX_SEGMENT_BYTES = 255;
const MAX_SEGMENTS = 254;
const FORBIDDEN = /[\p{Cc}\\]/u;

/**
 * Checks an object key against the rules that hold in every store, so that a copy can move anywhere: UTF-8, 1 to 1,024
 * bytes, segments of 1 to 255 bytes separated by '/', at most 254 of them, none of them '.' or '..' or ending with a dot,
 * no control character, no backslash, no lone surrogate. Keys are compared byte for byte and never decoded.
 *
 * @returns the key, unchanged
 * @throws StorageError `INVALID_KEY`
 * @see the limits of S3 and GCS (1,024 bytes), Azure Blob (1,024 characters, 254 segments, no trailing dot), ext4 (255 bytes a name)
 */
export function assertObjectKey(key: string): string {
  const problem = keyProblem(key);
  if (problem === undefined) return key;
  throw new StorageError('INVALID_KEY', `Object key ${String(JSON.stringify(key)).slice(0, 200)} ${problem}.`, {
    scope: 'local',
  });
}

/** Whether a name keeps the rules that `assertObjectKey` asserts: others put objects into a bucket, too, by names that are no keys. */
export const isObjectKey = (name: string): boolean => keyProblem(name) === undefined;

function keyProblem(key: string): string | undefined {
  if (typeof key !== 'string' || key === '') return 'is empty';
  if (Buffer.byteLength(key) > MAX_KEY_BYTES) return `is longer than ${MAX_KEY_BYTES} bytes`;
  if (FORBIDDEN.test(key)) return 'contains a control character or a backslash';
  if (!key.isWellFormed()) return 'is not well-formed Unicode';
  const segments = key.split('/');
  if (segments.length > MAX_SEGMENTS) return `has more than ${MAX_SEGMENTS} segments`;
  for (const segment of segments) {
    if (segment === '') return "starts or ends with '/' or contains '//'";
    if (segment.endsWith('.')) return "has a segment that is '.' or '..' or ends with a dot";
    if (Buffer.byteLength(segment) > MAX_SEGMENT_BYTES) return `has a segment longer than ${MAX_SEGMENT_BYTES} bytes`;
  }
  return undefined;
}
