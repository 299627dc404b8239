import { Readable } from 'node:stream';
import { GetObjectCommand, type GetObjectCommandOutput } from '@aws-sdk/client-s3';
import {
  type ByteRange,
  type OpenedObject,
  type OpenOptions,
  rangeHeader,
  resolveRange,
  StorageError,
} from '@paradoxon/storage';
import { exactBody } from '@paradoxon/storage/plugin';
import type { S3Bucket, Work } from './s3-bucket.ts';
import { toStorageError } from './s3-errors.ts';
import { headObject, infoOf } from './s3-object.ts';

const CONTENT_RANGE = /^bytes (\d+)-(\d+)\/(\d+)$/;

export async function openObject(bucket: S3Bucket, key: string, options: OpenOptions): Promise<OpenedObject> {
  const { range, ifMatch, signal } = options;
  const work: Work = { operation: 'open', key, signal };
  // a range that no object can satisfy is ignored by servers, as HTTP allows
  if (range) resolveRange(range, Number.MAX_SAFE_INTEGER);
  try {
    return await get(bucket, key, work, range, ifMatch);
  } catch (error) {
    if (!range || !('suffix' in range) || !StorageError.is(error) || error.code !== 'RANGE_NOT_SATISFIABLE')
      throw error;
    // some servers refuse a suffix that is longer than the object, where HTTP says: all of it
    const { size, etag } = await headObject(bucket, key, work);
    return get(bucket, key, work, resolveRange(range, size), ifMatch ?? etag);
  }
}

async function get(
  bucket: S3Bucket,
  key: string,
  work: Work,
  range: ByteRange | undefined,
  ifMatch: string | undefined,
): Promise<OpenedObject> {
  const command = new GetObjectCommand({
    Bucket: bucket.name,
    Key: bucket.pathOf(key),
    ...(range ? { Range: rangeHeader(range) } : {}),
    ...(ifMatch === undefined ? {} : { IfMatch: ifMatch }),
  });
  const asking = { permission: 's3:GetObject' } as const;
  const answer = await bucket
    .ask(work, asking, ({ download }, http) => download.send(command, http))
    .catch((error: unknown) => bucket.explain404(error, work));
  const source = answer.Body;
  if (!(source instanceof Readable)) throw new TypeError('The SDK gives a body that is no stream of Node.');
  try {
    const served = servedBy(answer, range);
    const body = exactBody(source, {
      bytes: served.end - served.start + 1,
      idleMs: bucket.settings.idleTimeoutMs,
      signal: work.signal,
      translate: (error) => toStorageError(error, bucket.call(work, asking)),
    });
    const info = infoOf(bucket, key, answer, served.size);
    return { ...info, body, ...(range ? { range: { start: served.start, end: served.end } } : {}) };
  } catch (error) {
    source.destroy();
    throw error;
  }
}

/** What the body is, both ends inclusive. @throws StorageError `RANGE_IGNORED` */
function servedBy(
  { ContentLength, ContentRange }: GetObjectCommandOutput,
  range: ByteRange | undefined,
): { start: number; end: number; size: number } {
  if (!range) {
    if (ContentLength !== undefined) return { start: 0, end: ContentLength - 1, size: ContentLength };
    throw new StorageError('NETWORK', 'The server does not say how long the object is.');
  }
  const [, start, end, size] = (CONTENT_RANGE.exec(ContentRange ?? '') ?? []).map(Number);
  if (start !== undefined && end !== undefined && size !== undefined) {
    const wanted = resolveRange(range, size);
    if (start === wanted.start && end === wanted.end) return { start, end, size };
  }
  throw new StorageError(
    'RANGE_IGNORED',
    `The server has answered ${rangeHeader(range)} with ${ContentRange ?? 'the whole object'}.`,
  );
}
