import type { Readable } from 'node:stream';
import type { SafeFetch } from '@paradoxon/safe-fetch';
import { type Checksums, redactUrls, StorageError, type StoragePlugin } from '@paradoxon/storage';
import { asSourceError } from './source-error.ts';

/** Something that can be read from any byte on, again and again. */
export interface TransferSource {
  /** For messages; carries no secret. */
  readonly name: string;
  /**
   * @throws StorageError; `SOURCE_CHANGED` or `RANGE_IGNORED` when it cannot give the bytes from `start` on of the version
   *   that `validator` names
   */
  open(options: OpenSourceOptions): Promise<OpenedSource>;
}

export interface OpenSourceOptions {
  /** First byte wanted. */
  readonly start: number;
  /** What an earlier open reported: the bytes must be of that same version. */
  readonly validator?: string;
  readonly signal: AbortSignal;
}

export interface OpenedSource {
  /** The whole source, bytes, wherever the reading starts. */
  readonly size?: number;
  /** Names this version of the bytes exactly. Absent when there is none that strong: a broken reading then starts over. */
  readonly validator?: string;
  /** What the other side says about the whole. */
  readonly checksums: Checksums;
  /** Errors when it is cut short. Where `size` is not known, a quiet end is the end. */
  readonly body: Readable;
}

/** A video behind a URL, read through the guard of `fetch`. */
export function fromUrl(fetch: SafeFetch, url: string): TransferSource {
  return {
    name: redactUrls(url),
    async open({ start, validator, signal }) {
      try {
        const file = await fetch.open(url, {
          signal,
          ...(start > 0 ? { start } : {}),
          ...(start > 0 && validator !== undefined ? { ifRange: validator } : {}),
        });
        return {
          checksums: file.checksums,
          body: file.body,
          ...(file.size === undefined ? {} : { size: file.size }),
          ...(isStrong(file.etag) ? { validator: file.etag } : {}),
        };
      } catch (error) {
        throw asSourceError(error);
      }
    },
  };
}

/** An object of a store: a good copy that repairs others, or a generator's own output. */
export function fromObject(store: StoragePlugin, key: string): TransferSource {
  return {
    name: redactUrls(`${store.id}:${key}`),
    async open({ start, validator, signal }) {
      if (start > 0 && !store.capabilities.range) throw rangeIgnored(store, key);
      try {
        const object = await store.open(key, {
          signal,
          ...(start > 0 ? { range: { start } } : {}),
          ...(start > 0 && validator !== undefined ? { ifMatch: validator } : {}),
        });
        if (start > 0 && object.range?.start !== start) {
          object.body.on('error', () => undefined); // nobody reads it any more
          object.body.destroy();
          throw rangeIgnored(store, key);
        }
        return {
          ...(object.size === undefined ? {} : { size: object.size }),
          checksums: object.checksums,
          body: object.body,
          ...(object.size === undefined ? {} : { size: object.size }),
          ...(store.capabilities.ifMatch && object.etag !== undefined ? { validator: object.etag } : {}),
        };
      } catch (error) {
        throw asSourceError(changedOr(error));
      }
    },
  };
}

/** RFC 9110 §13.1.5: only a strong validator may continue a download. */
function isStrong(etag: string | undefined): etag is string {
  return etag !== undefined && !etag.startsWith('W/');
}

function rangeIgnored(store: StoragePlugin, key: string): StorageError {
  return new StorageError('RANGE_IGNORED', `Storage "${store.id}" does not serve ${key} from the middle.`, {
    scope: 'source',
    storage: store.id,
    operation: 'open',
    key,
  });
}

function changedOr(error: unknown): unknown {
  if (!StorageError.is(error) || error.code !== 'PRECONDITION_FAILED') return error;
  return new StorageError('SOURCE_CHANGED', error.message, { scope: 'source', cause: error });
}
