import type { BlobDownloadResponseParsed, BlockBlobClient } from '@azure/storage-blob';
import {
  type ByteRange,
  type ObjectInfo,
  type OpenedObject,
  type OpenOptions,
  resolveRange,
  StorageError,
} from '@paradoxon/storage';
import { exactBody } from '@paradoxon/storage/plugin';
import { Readable } from 'node:stream';
import { type AzureCall, causeOf, changed } from './azure-errors.ts';
import { request } from './azure-request.ts';
import { type BlobProperties, infoOf } from './blob-info.ts';

type Served = { readonly start: number; readonly end: number };

/**
 * Opens a blob. The bytes come from one answer: the SDK would go on with a second one where the first breaks off, and who reads
 * ahead of a failure should know.
 *
 * @param head asked only for a suffix, which Azure has no ranges for
 */
export async function openBlob(
  blob: BlockBlobClient,
  call: AzureCall & { readonly key: string },
  options: OpenOptions,
  idleMs: number,
  head: () => Promise<ObjectInfo>,
): Promise<OpenedObject> {
  const { signal } = options;
  const { range, ifMatch } = await withoutSuffix(options, head);
  const count = range?.end === undefined ? undefined : range.end - range.start + 1;
  const answer = await request(call, signal, (abort) =>
    blob.download(range?.start ?? 0, count, {
      ...abort,
      maxRetryRequests: 0,
      ...(ifMatch === undefined ? {} : { conditions: { ifMatch } }),
    }),
  );
  const source = answer.readableStreamBody;
  if (!(source instanceof Readable)) throw new StorageError('INTERNAL', 'The SDK has given no body.');
  try {
    const { size, served } = servedBy(answer);
    const wanted = options.range ? resolveRange(range ?? options.range, size) : { start: 0, end: size - 1 };
    if (served.start !== wanted.start || served.end !== wanted.end) throw rangeIgnored(call, wanted, served);
    return {
      ...infoOf(call.key, size, propertiesOf(answer)),
      ...(options.range ? { range: wanted } : {}),
      body: exactBody(source, {
        bytes: wanted.end - wanted.start + 1,
        idleMs,
        signal,
        translate: (error) => brokenOff(error, call),
      }),
    };
  } catch (error) {
    source.on('error', () => undefined).destroy();
    throw error;
  }
}

/** A suffix is counted from the end of the version that there is now, and taken from that version only. */
async function withoutSuffix(
  { range, ifMatch }: OpenOptions,
  head: () => Promise<ObjectInfo>,
): Promise<{ range?: Exclude<ByteRange, { suffix: number }>; ifMatch?: string }> {
  const version = ifMatch === undefined ? {} : { ifMatch };
  if (!range) return version;
  if (!('suffix' in range)) {
    // a range that fits no object at all
    resolveRange(range, Infinity);
    return { range, ...version };
  }
  const { size, etag } = await head();
  return { range: resolveRange(range, size), ...(etag === undefined ? {} : { ifMatch: etag }), ...version };
}

/** Its getters are not its own: spreading it would lose them. */
function propertiesOf(answer: BlobDownloadResponseParsed): BlobProperties {
  const { etag, contentType, cacheControl, lastModified, metadata, contentRange, contentMD5, blobContentMD5 } = answer;
  // in the answer to a range, the header of the usual name is about the range
  const md5 = blobContentMD5 ?? (contentRange === undefined ? contentMD5 : undefined);
  return { etag, contentType, cacheControl, lastModified, metadata, contentMD5: md5 };
}

/** What the answer says that it is. */
function servedBy(answer: BlobDownloadResponseParsed): { size: number; served: Served } {
  const [, start, end, size] = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(answer.contentRange ?? '') ?? [];
  if (size !== undefined) return { size: Number(size), served: { start: Number(start), end: Number(end) } };
  const bytes = answer.contentLength ?? 0;
  return { size: bytes, served: { start: 0, end: bytes - 1 } };
}

function rangeIgnored(
  { storage, operation, key }: AzureCall & { readonly key: string },
  wanted: Served,
  served: Served,
): StorageError {
  return new StorageError(
    'RANGE_IGNORED',
    `Storage "${storage}" was asked for the bytes ${wanted.start} to ${wanted.end} of ${key} and has sent ${served.start} to ${served.end}.`,
    { storage, operation, key },
  );
}

/**
 * The SDK's stream says only that it has received too little, or that it was aborted, whatever broke. That the caller has
 * aborted is said by the body itself.
 */
function brokenOff(error: unknown, { storage, operation, key }: AzureCall & { readonly key: string }): StorageError {
  if (StorageError.is(error)) return changed(error, { storage, operation, key });
  const { message } = error as Error;
  return new StorageError('NETWORK', `Storage "${storage}" broke off: ${operation} ${key} (${message}).`, {
    storage,
    operation,
    key,
    cause: causeOf(error),
  });
}
