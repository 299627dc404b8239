import { type OpenedObject, type OpenOptions, rangeHeader, resolveRange, StorageError } from '@paradoxon/storage';
import { exactBody } from '@paradoxon/storage/plugin';
import { Attempts } from './attempts.ts';
import type { GcsAnswer, GcsClient } from './gcs-client.ts';
import { type GcsCall, gcsError, transportError } from './gcs-errors.ts';
import { infoOf, type ObjectResource } from './object-resource.ts';

/** Times that an object may be overwritten between the look at it and the reading of it. */
const MAX_OVERTAKEN = 3;

export interface OpenTarget {
  readonly client: GcsClient;
  readonly call: GcsCall & { readonly key: string };
  /** With the store's prefix. */
  readonly name: string;
  readonly idleMs: number;
  readonly find: () => Promise<ObjectResource>;
}

/**
 * Two requests: what the object is, which a download does not say completely, then the bytes of exactly that version.
 */
export async function openObject(target: OpenTarget, options: OpenOptions): Promise<OpenedObject> {
  const { call, find } = target;
  for (let overtaken = 1; ; overtaken += 1) {
    const resource = await find();
    if (options.ifMatch !== undefined && options.ifMatch !== resource.generation) {
      throw gcsError('PRECONDITION_FAILED', 'holds another version', call);
    }
    try {
      return await openVersion(target, resource, options);
    } catch (error) {
      // overwritten, or deleted, since it was found
      const gone = StorageError.is(error) && error.code === 'NOT_FOUND';
      if (!gone || overtaken === MAX_OVERTAKEN) throw error;
    }
  }
}

async function openVersion(target: OpenTarget, resource: ObjectResource, options: OpenOptions): Promise<OpenedObject> {
  const { call, idleMs } = target;
  const { size } = resource;
  const range = options.range && resolveRange(options.range, size);
  const wanted = range ?? { start: 0, end: size - 1 };
  const answer = await ask(target, resource, range && rangeHeader(range), options.signal);
  const served = answer.headers.get('content-range');
  if (range && (answer.status !== 206 || served !== `bytes ${range.start}-${range.end}/${size}`)) {
    answer.body.destroy();
    throw gcsError('RANGE_IGNORED', 'did not serve the range that was asked for', call, {
      quoted: `HTTP ${answer.status}, content-range ${served ?? 'absent'}`,
    });
  }
  const body = exactBody(answer.body, {
    bytes: wanted.end - wanted.start + 1,
    idleMs,
    signal: options.signal,
    translate: (error) => translated(error, call, options.signal),
  });
  return { ...infoOf(call.key, resource), body, ...(range ? { range } : {}) };
}

async function ask(
  { client, call, name }: OpenTarget,
  { generation, contentEncoding }: ObjectResource,
  range: string | undefined,
  signal: AbortSignal | undefined,
): Promise<GcsAnswer> {
  const attempts = new Attempts(signal);
  for (;;) {
    try {
      return await client.send(call, {
        method: 'GET',
        url: client.objectUrl(name, { alt: 'media', generation }),
        headers: {
          // without it, what is stored compressed would be decompressed on the way: other bytes, and no ranges
          'accept-encoding': contentEncoding ?? 'identity',
          ...(range === undefined ? {} : { range }),
        },
        pool: 'downloads',
        signal,
      });
    } catch (error) {
      await attempts.again(error);
    }
  }
}

/** What a body broke with. */
function translated(error: unknown, call: GcsCall, signal: AbortSignal | undefined): StorageError {
  if (!StorageError.is(error)) return transportError(error, call, signal);
  return gcsError(error.code, 'broke off', call, { quoted: error.message, scope: error.scope });
}
