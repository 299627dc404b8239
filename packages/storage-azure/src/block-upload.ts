import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ByteSource, type ObjectInfo, type PutOptions, StorageError } from '@paradoxon/storage';
import type { Part, UploadProtocol } from '@paradoxon/storage/plugin';
import type { AzureClients } from './azure-clients.ts';
import { type AzureCall, changed, toStorageError } from './azure-errors.ts';
import type { AccessTier } from './azure-options.ts';
import { commit, request } from './azure-request.ts';
import { infoOf } from './blob-info.ts';
import { type BlockNames, blockNames, MAX_BLOCKS } from './block-id.ts';
import { toAzureMetadata } from './metadata-names.ts';
import { discardUncommitted } from './uncommitted-blobs.ts';

/** For blocks that are received, but not stored yet, when their put is given up. */
const AFTERMATH_MS = 300;
const DEFAULT_TYPE = 'application/octet-stream';

interface Upload {
  readonly clients: AzureClients;
  readonly call: AzureCall & { readonly key: string };
  /** The key with the store's prefix. */
  readonly blobName: string;
  readonly body: ByteSource;
  readonly options: PutOptions;
  readonly accessTier: AccessTier | undefined;
  readonly maxObjectBytes: number;
  readonly head: (signal: AbortSignal, ifMatch?: string) => Promise<ObjectInfo>;
}

/** One put: Put Blob for what fits into one part, else Put Block for each part and Put Block List. */
export class BlockUpload implements UploadProtocol<BlockNames, string, ObjectInfo> {
  readonly #upload: Upload;
  /** Of the whole body, when its giver computes none. */
  readonly #md5 = createHash('md5');
  /** Blocks that were sent, and not answered with success. */
  #underWay = 0;

  constructor(upload: Upload) {
    this.#upload = upload;
  }

  /** The MD5 is compared by Azure before the blob appears, and comes back with the answer. */
  async whole(bytes: Buffer, signal: AbortSignal): Promise<ObjectInfo> {
    const md5 = this.#upload.body.checksums?.().md5 ?? md5Of(bytes);
    const answer = await commit(this.#commitCall(), signal, (options) =>
      this.#upload.clients.commit(this.#upload.blobName).upload(bytes, bytes.byteLength, {
        ...options,
        ...this.#description(md5),
        transactionalContentMD5: Buffer.from(md5, 'hex'),
      }),
    );
    // what Azure has computed of what it received; its documentation promises it
    const said = answer.contentMD5 ? this.#infoOf(bytes.byteLength, answer) : await this.#ask(answer.etag, signal);
    return this.#compared(said, bytes.byteLength, md5);
  }

  async begin(signal: AbortSignal): Promise<BlockNames> {
    if (this.#upload.options.ifAbsent && (await this.#find(signal))) throw this.#exists();
    return blockNames(new Date());
  }

  /** Parts come here in their order, so that they can be hashed on their way. Azure compares the MD5 of each. */
  async part({ nameOf }: BlockNames, part: Part, signal: AbortSignal): Promise<string> {
    const { body, clients, call, blobName, maxObjectBytes } = this.#upload;
    if (part.number > MAX_BLOCKS) throw tooLarge(maxObjectBytes);
    if (!body.checksums) this.#md5.update(part.bytes);
    const name = nameOf(part.number);
    const transactionalContentMD5 = createHash('md5').update(part.bytes).digest();
    this.#underWay += 1;
    await request(call, signal, (options) =>
      clients
        .transfer(blobName)
        .stageBlock(name, part.bytes, part.bytes.byteLength, { ...options, transactionalContentMD5 }),
    );
    this.#underWay -= 1;
    return name;
  }

  /** Azure only keeps the MD5 of the whole that it is given here: the blocks are compared one by one. */
  async complete(_: unknown, blocks: readonly string[], totalBytes: number, signal: AbortSignal): Promise<ObjectInfo> {
    const { body } = this.#upload;
    const md5 = body.checksums ? body.checksums().md5 : this.#md5.digest('hex');
    const { etag } = await this.#commit(blocks, md5, signal);
    return this.#compared(await this.#ask(etag, signal), totalBytes, md5);
  }

  /** Blocks that belong to no blob yet. Those of an overwrite vanish with the next write of the key, or after a week. */
  async cancel({ isOurs }: BlockNames): Promise<void> {
    const { clients, call, blobName } = this.#upload;
    const discard = (): Promise<boolean> => discardUncommitted(clients.blob(blobName), call, isOurs);
    await discard();
    if (this.#underWay === 0) return;
    // what Azure has received whole it also stores, although the request was aborted
    await sleep(AFTERMATH_MS);
    await discard();
  }

  async #commit(blocks: readonly string[], md5: string | undefined, signal: AbortSignal): Promise<{ etag?: string }> {
    try {
      return await commit(this.#commitCall(), signal, (options) =>
        this.#upload.clients
          .commit(this.#upload.blobName)
          .commitBlockList([...blocks], { ...options, ...this.#description(md5) }),
      );
    } catch (error) {
      // who commits first takes the blocks of the others away: Azure may complain of those (400) instead of the condition
      const blocksGone = StorageError.is(error) && error.httpStatus === 400;
      if (blocksGone && this.#upload.options.ifAbsent && (await this.#find(signal))) throw this.#exists();
      throw error;
    }
  }

  /** What goes with the bytes, the same for both ways. */
  #description(md5: string | undefined) {
    const { options, accessTier } = this.#upload;
    const { contentType = DEFAULT_TYPE, cacheControl, metadata, ifAbsent } = options;
    return {
      blobHTTPHeaders: {
        blobContentType: contentType,
        ...(cacheControl === undefined ? {} : { blobCacheControl: cacheControl }),
        ...(md5 === undefined ? {} : { blobContentMD5: Buffer.from(md5, 'hex') }),
      },
      metadata: toAzureMetadata(metadata),
      ...(accessTier === undefined ? {} : { tier: accessTier }),
      ...(ifAbsent ? { conditions: { ifNoneMatch: '*' } } : {}),
    };
  }

  #commitCall(): AzureCall {
    return { ...this.#upload.call, createOnly: this.#upload.options.ifAbsent ?? false };
  }

  async #find(signal: AbortSignal): Promise<ObjectInfo | undefined> {
    try {
      return await this.#upload.head(signal);
    } catch (error) {
      if (StorageError.is(error) && error.code === 'NOT_FOUND') return undefined;
      throw error;
    }
  }

  /** What the store holds since this upload. */
  async #ask(etag: string | undefined, signal: AbortSignal): Promise<ObjectInfo> {
    try {
      return await this.#upload.head(signal, etag);
    } catch (error) {
      throw toStorageError(committedAlready(error), this.#upload.call);
    }
  }

  async #compared(stored: ObjectInfo, bytes: number, md5: string | undefined): Promise<ObjectInfo> {
    if (stored.size !== bytes) return this.#refuse(stored, `${stored.size} bytes`, `${bytes} bytes`);
    if (stored.checksums.md5 === md5) return stored;
    return this.#refuse(stored, `MD5 ${stored.checksums.md5 ?? 'missing'}`, `MD5 ${md5 ?? 'missing'}`);
  }

  /** Takes back what turned out wrong, unless somebody else has replaced it meanwhile. */
  async #refuse({ etag }: ObjectInfo, stored: string, sent: string): Promise<never> {
    const { clients, call, blobName } = this.#upload;
    const removed = await clients
      .remove(blobName)
      .delete({ conditions: etag === undefined ? {} : { ifMatch: etag } })
      .then(
        () => true,
        () => false,
      );
    throw new StorageError(
      'CHECKSUM_MISMATCH',
      `Storage "${call.storage}" says that ${call.key} has ${stored}, but ${sent} were sent. ${removed ? 'The object was deleted' : 'The object could not be deleted'}.`,
      { storage: call.storage, operation: call.operation, key: call.key, committed: removed ? 'no' : 'yes' },
    );
  }

  #exists(): StorageError {
    const { storage, operation, key } = this.#upload.call;
    return new StorageError('ALREADY_EXISTS', `Storage "${storage}" already has ${key}.`, { storage, operation, key });
  }

  #infoOf(size: number, answer: { etag?: string; lastModified?: Date; contentMD5?: Uint8Array }): ObjectInfo {
    const { contentType = DEFAULT_TYPE, cacheControl, metadata } = this.#upload.options;
    return infoOf(this.#upload.call.key, size, {
      ...answer,
      contentType,
      cacheControl,
      metadata: toAzureMetadata(metadata),
    });
  }
}

const md5Of = (bytes: Buffer): string => createHash('md5').update(bytes).digest('hex');

/** @param maxObjectBytes of the store */
export function tooLarge(maxObjectBytes: number): StorageError {
  return new StorageError(
    'TOO_LARGE',
    `More than ${maxObjectBytes} bytes do not fit into ${MAX_BLOCKS} blocks. Choose a larger partBytes.`,
    { scope: 'local' },
  );
}

/** The bytes are in the store, but could not be looked at. */
function committedAlready(error: unknown): StorageError {
  const failure = StorageError.from(error);
  if (failure.code !== 'PRECONDITION_FAILED' && failure.code !== 'NOT_FOUND')
    return changed(failure, { committed: 'yes' });
  return new StorageError(
    'PRECONDITION_FAILED',
    'Another writer has replaced or deleted the object before it could be compared.',
    { retry: 'safe', committed: 'yes', cause: error },
  );
}
