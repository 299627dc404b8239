import type { FileHandle } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { StorageError } from '@paradoxon/storage';
import { abortedError } from '@paradoxon/storage/plugin';

const READ_BYTES = 256 * 1024;

/**
 * The bytes `start` to `end`, both inclusive, of an open file, which is closed with the stream. Unlike fs.ReadStream it
 * errors when the file turns out shorter than it was.
 */
export function fileBody(handle: FileHandle, start: number, end: number, signal?: AbortSignal): Readable {
  let position = start;
  const read = async (): Promise<Buffer | null> => {
    const length = Math.min(READ_BYTES, end - position + 1);
    if (length <= 0) return null;
    const { bytesRead, buffer } = await handle.read(Buffer.allocUnsafe(length), 0, length, position);
    if (bytesRead === 0) {
      throw new StorageError('UNAVAILABLE', `The file was cut to ${position} bytes while it was read.`);
    }
    position += bytesRead;
    return buffer.subarray(0, bytesRead);
  };
  const body = new Readable({
    highWaterMark: READ_BYTES,
    read() {
      read().then(
        (chunk) => this.push(chunk),
        (error: unknown) => this.destroy(error as Error),
      );
    },
    destroy(error, done) {
      // waits for a read that is under way
      handle.close().then(
        () => done(error),
        (closing: unknown) => done(error ?? (closing as Error)),
      );
    },
  });
  if (signal) {
    const abort = (): void => void body.destroy(abortedError(signal));
    signal.addEventListener('abort', abort, { once: true });
    body.once('close', () => signal.removeEventListener('abort', abort));
  }
  return body;
}
