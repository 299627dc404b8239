import { StorageError } from '@paradoxon/storage';

const MiB = 1024 ** 2;

/** S3's own limit, and that of the servers which speak it. */
export const MAX_PARTS = 10_000;
/**
 * 5 TiB, which every S3 takes. AWS takes 48.8 TiB by now, but the buffers of such parts would be 5 GiB each.
 * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html
 */
export const MAX_OBJECT_BYTES = 5 * 1024 ** 4;

/**
 * Bytes per part: those of the option, more only when the object would not fit into 10,000 parts of that size.
 *
 * @param totalBytes whole object, when known
 * @param wanted the option `partBytes`
 * @throws StorageError `TOO_LARGE` above 5 TiB
 */
export function partBytesFor(totalBytes: number | undefined, wanted: number): number {
  if (totalBytes === undefined) return wanted;
  if (totalBytes <= MAX_OBJECT_BYTES) return Math.max(wanted, Math.ceil(totalBytes / MAX_PARTS / MiB) * MiB);
  throw new StorageError('TOO_LARGE', `${totalBytes} bytes exceed the ${MAX_OBJECT_BYTES} of one S3 object.`);
}
