import { FetchError, type RemoteFile, type SafeFetch } from '@paradoxon/safe-fetch';
import { type ByteRange, type OpenOptions, resolveRange, StorageError } from '@paradoxon/storage';
import type { OpenedVideo, VideoInfo } from './video-info.ts';

/** `If-Range` takes no weak ones. */
const STRONG_ETAG = /^"[^"]*"$/;

/** By a GET of one byte: that Replicate's file host answers HEAD is unproven. */
export async function headRemoteVideo(fetch: SafeFetch, url: string, signal?: AbortSignal): Promise<VideoInfo> {
  const file = await firstByte(fetch, url, signal);
  file.body.destroy();
  if (file.size !== undefined) return { ...detailsOf(file), size: file.size };
  throw new StorageError('UNSUPPORTED', `${file.url} does not say how large the file is.`, { scope: 'source' });
}

export async function openRemoteVideo(fetch: SafeFetch, url: string, options: OpenOptions): Promise<OpenedVideo> {
  const { ifMatch, signal } = options;
  const range = await withoutSuffix(fetch, url, options.range, signal);
  const file = await openedAs(ifMatch, () =>
    fetch.open(url, {
      ...range,
      ...(ifMatch !== undefined && STRONG_ETAG.test(ifMatch) ? { ifRange: ifMatch } : {}),
      ...(signal ? { signal } : {}),
    }),
  );
  try {
    if (ifMatch !== undefined && file.etag !== ifMatch) throw otherVersion(ifMatch);
    return {
      ...detailsOf(file),
      body: file.body,
      ...(file.size === undefined ? {} : { size: file.size }),
      ...(file.range ? { range: file.range } : {}),
    };
  } catch (error) {
    file.body.destroy();
    throw error;
  }
}

async function firstByte(fetch: SafeFetch, url: string, signal: AbortSignal | undefined): Promise<RemoteFile> {
  const call = signal ? { signal } : {};
  try {
    return await fetch.open(url, { start: 0, end: 0, ...call });
  } catch (error) {
    // an empty file has no first byte, and some hosts know no ranges
    const code = error instanceof FetchError ? error.code : undefined;
    if (code === 'RANGE_NOT_SATISFIABLE' || code === 'RANGE_IGNORED') return fetch.open(url, call);
    throw error;
  }
}

/** "The last n bytes" needs the size first. */
async function withoutSuffix(
  fetch: SafeFetch,
  url: string,
  range: ByteRange | undefined,
  signal: AbortSignal | undefined,
): Promise<{ readonly start: number; readonly end?: number } | undefined> {
  if (!range || !('suffix' in range)) return range;
  return resolveRange(range, (await headRemoteVideo(fetch, url, signal)).size);
}

async function openedAs(ifMatch: string | undefined, open: () => Promise<RemoteFile>): Promise<RemoteFile> {
  try {
    return await open();
  } catch (error) {
    const changed = error instanceof FetchError && error.code === 'SOURCE_CHANGED';
    throw changed && ifMatch !== undefined ? otherVersion(ifMatch, error) : error;
  }
}

function otherVersion(ifMatch: string, cause?: unknown): StorageError {
  return new StorageError('PRECONDITION_FAILED', `The video is not the version ${ifMatch.slice(0, 100)} any more.`, {
    scope: 'source',
    cause,
  });
}

/** What the file's headers say, but its size: a host may send a body without announcing one. */
function detailsOf({ etag, contentType, lastModified, checksums }: RemoteFile): Omit<VideoInfo, 'size'> {
  return {
    metadata: {},
    checksums,
    ...(etag === undefined ? {} : { etag }),
    ...(contentType === undefined ? {} : { contentType }),
    ...(lastModified === undefined ? {} : { lastModified }),
  };
}
