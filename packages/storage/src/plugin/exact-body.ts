import { Readable } from 'node:stream';
import { StorageError } from '../storage-error.ts';
import { abortedError } from './aborted.ts';

export interface ExactBodyOptions {
  /** How many there must be. */
  readonly bytes: number;
  /** Longest wait for a byte that is asked for, milliseconds: `STALLED`. Time in which nobody reads does not count. */
  readonly idleMs: number;
  readonly signal?: AbortSignal | undefined;
  /** What the body failed with, with the call's details: an error of the SDK's stream, or a StorageError (`STALLED`, `NETWORK`) of ours. */
  readonly translate: (error: unknown) => StorageError;
}

/**
 * The body of an `open`, as the contract wants it, from the stream of an SDK: exactly so many bytes or an error, `STALLED`
 * when they stop coming, closed by an abort. Destroying it destroys the SDK's stream, and with it the connection.
 */
export function exactBody(source: Readable, options: ExactBodyOptions): Readable {
  const { bytes, idleMs, signal, translate } = options;
  const chunks = source.iterator({ destroyOnReturn: true }) as AsyncIterator<Uint8Array, undefined>;
  let seen = 0;
  // an error that comes when nobody reads any more has nobody to be told to
  source.on('error', () => undefined);

  const next = async (): Promise<Uint8Array | null> => {
    const stalled = setTimeout(() => {
      source.destroy(
        new StorageError('STALLED', `The store has sent nothing for ${idleMs} ms, ${seen} of ${bytes} bytes in.`),
      );
    }, idleMs);
    try {
      const { done, value } = await chunks.next();
      if (!done) seen += value.byteLength;
      if (seen > bytes || (done && seen < bytes)) {
        throw new StorageError('NETWORK', `The store has sent ${seen}${done ? '' : ' and more'} of ${bytes} bytes.`);
      }
      return done ? null : value;
    } catch (error) {
      throw translate(error);
    } finally {
      clearTimeout(stalled);
    }
  };

  const body = new Readable({
    read() {
      next().then(
        (chunk) => this.push(chunk),
        (error: unknown) => this.destroy(error as Error),
      );
    },
    destroy(error, done) {
      source.destroy();
      done(error);
    },
  });
  if (signal) {
    const abort = (): void => void body.destroy(abortedError(signal));
    signal.addEventListener('abort', abort, { once: true });
    body.once('close', () => signal.removeEventListener('abort', abort));
    if (signal.aborted) abort();
  }
  return body;
}
