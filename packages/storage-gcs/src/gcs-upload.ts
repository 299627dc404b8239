import { randomUUID } from 'node:crypto';
import { crc32c } from '@node-rs/crc32';
import { type ByteSource, type Committed, type PutOptions, StorageError } from '@paradoxon/storage';
import type { UploadProtocol } from '@paradoxon/storage/plugin';
import { Attempts } from './attempts.ts';
import type { GcsClient } from './gcs-client.ts';
import { type GcsCall, gcsError, mayBeDone } from './gcs-errors.ts';
import { base64Crc, OBJECT_FIELDS, objectResource, type ObjectResource } from './object-resource.ts';
import { ResumableSession } from './resumable-session.ts';

const DEFAULT_CONTENT_TYPE = 'application/octet-stream';

export interface UploadTarget {
  readonly client: GcsClient;
  readonly call: GcsCall;
  /** With the store's prefix. */
  readonly name: string;
  readonly storageClass: string | undefined;
  /** Of the object that is there now; `undefined` when there is none. */
  readonly find: (signal: AbortSignal) => Promise<ObjectResource | undefined>;
}

/** One put: the object whole in one request, or in parts through a resumable upload, which takes them one after the other. */
export class GcsUpload implements UploadProtocol<ResumableSession, ObjectResource | undefined, ObjectResource> {
  readonly #target: UploadTarget;
  readonly #body: ByteSource;
  readonly #options: PutOptions;
  #committed: Committed = 'no';
  /** Of the parts so far, for a body that does not know its own. */
  #crc = 0;

  constructor(target: UploadTarget, body: ByteSource, options: PutOptions) {
    this.#target = target;
    this.#body = body;
    this.#options = options;
  }

  /** Whether the object may be stored although the put failed. */
  get committed(): Committed {
    return this.#committed;
  }

  /**
   * One request that has the description, the checksum and the bytes in it. When nobody knows what became of it, it is
   * repeated under a condition: it never replaces an object that somebody else has written meanwhile.
   */
  async whole(bytes: Buffer, signal: AbortSignal): Promise<ObjectResource> {
    const { call, find } = this.#target;
    const attempts = new Attempts(signal);
    const crc = this.#crcOf(crc32c(bytes));
    let generation = this.#options.ifAbsent ? '0' : undefined;
    for (;;) {
      try {
        const stored = await this.#insert(bytes, crc, generation, signal);
        return await this.#verified(stored, bytes.byteLength, crc);
      } catch (error) {
        const failure = this.#refused(error);
        // the object changed between the look at it and the repetition: looked at again
        const raced = failure.code === 'PRECONDITION_FAILED';
        await attempts.again(raced ? gcsError('UNAVAILABLE', 'is written to by somebody else', call) : failure);
        if (this.#committed === 'unknown' && !this.#options.ifAbsent) {
          generation = (await find(signal))?.generation ?? '0';
        }
      }
    }
  }

  async begin(signal: AbortSignal): Promise<ResumableSession> {
    const { client, call, find } = this.#target;
    // gigabytes that will be refused at their end need not be sent
    if (this.#options.ifAbsent && (await find(signal))) throw this.#alreadyExists();
    const { contentType = DEFAULT_CONTENT_TYPE, ifAbsent } = this.#options;
    try {
      return await ResumableSession.start(client, call, {
        query: this.#query('resumable', ifAbsent ? '0' : undefined),
        description: this.#description(),
        headers: {
          'x-upload-content-type': contentType,
          ...(this.#body.size === undefined ? {} : { 'x-upload-content-length': String(this.#body.size) }),
        },
        signal,
      });
    } catch (error) {
      throw this.#refused(error);
    }
  }

  async part(
    session: ResumableSession,
    { bytes, offset, last }: { readonly bytes: Buffer; readonly offset: number; readonly last: boolean },
    signal: AbortSignal,
  ): Promise<ObjectResource | undefined> {
    this.#crc = crc32c(bytes, this.#crc);
    if (!last) {
      await session.send(bytes, offset, signal);
      return undefined;
    }
    const crc = this.#crcOf(this.#crc);
    this.#committed = 'unknown';
    try {
      const stored = await session.finish(bytes, offset, base64Crc(crc), signal);
      this.#committed = 'yes';
      return await this.#verified(stored, offset + bytes.byteLength, crc);
    } catch (error) {
      const failure = this.#refused(error);
      if (this.#committed === 'unknown' && !mayBeDone(failure)) this.#committed = 'no';
      throw failure;
    }
  }

  complete(_session: ResumableSession, receipts: readonly (ObjectResource | undefined)[]): Promise<ObjectResource> {
    const stored = receipts.at(-1);
    if (stored) return Promise.resolve(stored);
    return Promise.reject(gcsError('INTERNAL', 'was sent no last part', this.#target.call));
  }

  async cancel(session: ResumableSession): Promise<void> {
    // a commit that nobody saw the answer of: the session knows
    const finished = this.#committed === 'unknown' && (await session.isFinished().catch(() => undefined));
    if (finished) this.#committed = 'yes';
    if (this.#committed === 'yes') return;
    await session.cancel();
    if (finished === false) this.#committed = 'no';
  }

  async #insert(
    bytes: Buffer,
    crc: string,
    generation: string | undefined,
    signal: AbortSignal,
  ): Promise<ObjectResource> {
    const { client, call } = this.#target;
    const { contentType = DEFAULT_CONTENT_TYPE } = this.#options;
    const boundary = randomUUID();
    const head = Buffer.from(
      `--${boundary}\r\ncontent-type: application/json; charset=UTF-8\r\n\r\n` +
        `${JSON.stringify({ ...this.#description(), crc32c: base64Crc(crc) })}\r\n` +
        `--${boundary}\r\ncontent-type: ${contentType}\r\n\r\n`,
    );
    const tail = Buffer.from(`\r\n--${boundary}--\r\n`);
    const before = this.#committed;
    try {
      const answer = await client.send(call, {
        method: 'POST',
        url: client.uploadUrl(this.#query('multipart', generation)),
        headers: { 'content-type': `multipart/related; boundary=${boundary}` },
        // no second copy of the bytes is made
        body: [head, bytes, tail],
        pool: 'uploads',
        sending: () => {
          this.#committed = 'unknown';
        },
        signal,
      });
      const stored = await client.read(call, signal, answer, objectResource);
      this.#committed = 'yes';
      return stored;
    } catch (error) {
      if (StorageError.is(error) && !mayBeDone(error)) this.#committed = before;
      throw error;
    }
  }

  /** @throws StorageError `CHECKSUM_MISMATCH`, after the object that is not what was sent was deleted */
  async #verified(stored: ObjectResource, bytes: number, crc: string): Promise<ObjectResource> {
    const { client, call, name } = this.#target;
    if (stored.size === bytes && stored.crc32c === base64Crc(crc)) return stored;
    // this very object and no newer one
    const url = client.objectUrl(name, { ifGenerationMatch: stored.generation });
    const deleted = await client.send(call, { method: 'DELETE', url, alsoGood: [404, 412] }).then(
      ({ body }) => {
        body.resume();
        return true;
      },
      () => false,
    );
    if (deleted) this.#committed = 'no';
    throw gcsError('CHECKSUM_MISMATCH', 'stored something else than was sent', call, {
      quoted: `${stored.size} bytes with CRC-32C ${stored.crc32c}, sent were ${bytes} with ${base64Crc(crc)}`,
    });
  }

  /** What a refusal means in a put; whether it leaves anything in doubt. */
  #refused(error: unknown): StorageError {
    const failure = StorageError.from(error, this.#target.call);
    if (failure.code !== 'PRECONDITION_FAILED' || !this.#options.ifAbsent) return failure;
    return this.#alreadyExists(failure);
  }

  #alreadyExists(cause?: StorageError): StorageError {
    return gcsError('ALREADY_EXISTS', 'has such an object already', this.#target.call, {
      httpStatus: cause?.httpStatus,
      requestId: cause?.requestId,
      cause,
    });
  }

  /** Hexadecimal: what the giver computed of what it gave, else what was computed here. */
  #crcOf(computed: number): string {
    return this.#body.checksums?.().crc32c ?? computed.toString(16).padStart(8, '0');
  }

  #description(): Record<string, unknown> {
    const { contentType = DEFAULT_CONTENT_TYPE, cacheControl, metadata } = this.#options;
    const { name, storageClass } = this.#target;
    return { name, contentType, cacheControl, metadata, storageClass };
  }

  #query(uploadType: string, ifGenerationMatch: string | undefined): Record<string, string | undefined> {
    return { uploadType, name: this.#target.name, ifGenerationMatch, fields: OBJECT_FIELDS };
  }
}
