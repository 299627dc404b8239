import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { digestOf } from './digest.ts';
import { noise } from './noise.ts';

/** A pseudo-random video of any size that exists nowhere: every byte follows from `seed` and its offset. */
export interface GeneratedVideo {
  /** Bytes. */
  readonly size: number;
  readonly seed: number;
}

/** What a source server can serve: bytes, the path of a file (streamed, never read whole), or a generated video. */
export type SourceFile = Uint8Array | string | GeneratedVideo;

/** A file as an HTTP server needs it. */
export interface ServedFile {
  readonly size: number;
  /** Strong, in its quotes. */
  readonly etag: string;
  readonly lastModified: Date;
  /** Lower-case hexadecimal, where they are cheap to know. */
  readonly checksums: { readonly md5?: string; readonly crc32c?: string };
  /** The bytes from `start` to `end`, both inclusive. */
  read(start: number, end: number): AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
}

const CHUNK_BYTES = 64 * 1024;
/** An `ftyp` box (isom, mp42), then an `mdat` box with a 64-bit length that holds the rest. */
const MP4_HEAD_BYTES = 40;

/** @returns undefined for a path that leads to no file */
export async function servedFile(file: SourceFile): Promise<ServedFile | undefined> {
  if (typeof file === 'string') return fileOnDisk(file);
  return file instanceof Uint8Array ? fileInMemory(file) : generatedFile(file);
}

/** Hashed once however often it is asked for. */
const KNOWN = new WeakMap<Uint8Array, ServedFile>();

function fileInMemory(bytes: Uint8Array): ServedFile {
  const known = KNOWN.get(bytes);
  if (known) return known;
  const md5 = digestOf('md5', bytes);
  const file: ServedFile = {
    size: bytes.byteLength,
    etag: `"${md5}"`,
    lastModified: new Date(),
    checksums: { md5, crc32c: digestOf('crc32c', bytes) },
    *read(start, end) {
      for (let at = start; at <= end; at += CHUNK_BYTES) {
        yield bytes.subarray(at, Math.min(at + CHUNK_BYTES, end + 1));
      }
    },
  };
  KNOWN.set(bytes, file);
  return file;
}

async function fileOnDisk(path: string): Promise<ServedFile | undefined> {
  const found = await stat(path).catch((error: unknown) => {
    if (['ENOENT', 'ENOTDIR'].includes(String((error as NodeJS.ErrnoException).code))) return undefined;
    throw error;
  });
  if (!found?.isFile()) return undefined;
  return {
    size: found.size,
    etag: etagOf(path, found.size, found.mtimeMs),
    lastModified: found.mtime,
    checksums: {},
    read: (start, end) => createReadStream(path, { start, end }),
  };
}

function generatedFile({ size, seed }: GeneratedVideo): ServedFile {
  return {
    size,
    etag: etagOf('generated', size, seed),
    lastModified: new Date(0),
    checksums: {},
    read: (start, end) => generateVideo({ size, seed }, start, end),
  };
}

/**
 * The bytes of a generated video, 64 KiB at a time: what a source server serves for `{ size, seed }`, for comparing.
 * They begin with an MP4 `ftyp` box.
 *
 * @param start first byte
 * @param end last byte, inclusive
 */
export function* generateVideo(
  { size, seed }: GeneratedVideo,
  start = 0,
  end = size - 1,
): Generator<Buffer, void, undefined> {
  const head = mp4Head(size);
  let at = start;
  for (const chunk of noise(seed, start, end)) {
    if (at < head.byteLength) head.copy(chunk, 0, at);
    at += chunk.byteLength;
    yield chunk;
  }
}

function mp4Head(size: number): Buffer {
  const head = Buffer.alloc(MP4_HEAD_BYTES);
  head.writeUInt32BE(24, 0);
  head.write('ftypisom', 4, 'latin1');
  head.writeUInt32BE(512, 12);
  head.write('isommp42', 16, 'latin1');
  head.writeUInt32BE(1, 24);
  head.write('mdat', 28, 'latin1');
  head.writeBigUInt64BE(BigInt(Math.max(16, size - 24)), 32);
  return head;
}

function etagOf(...parts: readonly (string | number)[]): string {
  return `"${createHash('md5').update(parts.join('\n')).digest('hex')}"`;
}
