import type { ContainerClient } from '@azure/storage-blob';
import {
  assertObjectKey,
  type ByteSource,
  type CallOptions,
  type CheckLevel,
  type CheckReport,
  type DeleteOptions,
  isObjectKey,
  type IssuedUrl,
  type ObjectInfo,
  type OpenedObject,
  type OpenOptions,
  type PutOptions,
  STORAGE_API_VERSION,
  type StorageCapabilities,
  StorageError,
  type StoragePlugin,
  type StoredObject,
  type SweepReport,
  type UrlOptions,
} from '@paradoxon/storage';
import { BodyReader, PartUploader } from '@paradoxon/storage/plugin';
import { checkAzure } from './azure-check.ts';
import { AzureClients } from './azure-clients.ts';
import { type AzureCall, toStorageError } from './azure-errors.ts';
import { type AzureSettings, type AzureStorageOptions, parseAzureOptions } from './azure-options.ts';
import { commit, request } from './azure-request.ts';
import { infoOf } from './blob-info.ts';
import { BlobLinks } from './blob-links.ts';
import { openBlob } from './blob-open.ts';
import { MAX_BLOCKS } from './block-id.ts';
import { BlockUpload, tooLarge } from './block-upload.ts';
import { sweepUncommitted } from './uncommitted-blobs.ts';

const DEFAULT_TTL_SECONDS = 900;

/** A container of Azure Blob Storage. Objects are block blobs. */
export class AzureStorage implements StoragePlugin {
  readonly apiVersion = STORAGE_API_VERSION;
  readonly kind = 'azure';
  readonly id: string;
  readonly capabilities: StorageCapabilities;
  readonly #settings: AzureSettings;
  readonly #clients: AzureClients;
  readonly #uploader: PartUploader;
  readonly #links: BlobLinks;

  /** @throws StorageError `INVALID_CONFIG` naming every bad option, its value (never a secret) and what is allowed */
  constructor(id: string, options: AzureStorageOptions) {
    const settings = parseAzureOptions(id, options);
    const { access, container, partBytes, uploadConcurrency, idleTimeoutMs } = settings;
    this.id = id;
    this.#settings = settings;
    this.#clients = new AzureClients(access, container, idleTimeoutMs);
    this.#uploader = new PartUploader({ partBytes, partsAtOnce: uploadConcurrency, extraBuffers: uploadConcurrency });
    this.#links = new BlobLinks(access, this.#clients.service, container);
    const { maxTtlSeconds } = this.#links;
    this.capabilities = {
      write: true,
      expiring: false,
      range: true,
      ifMatch: true,
      createIfAbsent: true,
      unknownSize: true,
      list: true,
      sweepIncomplete: true,
      signedUrl: maxTtlSeconds > 0 && { maxTtlSeconds },
      // of all that is written here; blobs of other programs may have none
      checksums: ['md5'],
      maxObjectBytes: MAX_BLOCKS * partBytes,
    };
  }

  async put(key: string, body: ByteSource, options: PutOptions = {}): Promise<StoredObject> {
    const call = { ...this.#call('put'), key };
    const { maxObjectBytes } = this.capabilities;
    let upload: BlockUpload;
    try {
      if ((body.size ?? 0) > maxObjectBytes) throw tooLarge(maxObjectBytes);
      upload = new BlockUpload({
        clients: this.#clients,
        call,
        blobName: this.#blobName(key),
        body,
        options,
        accessTier: this.#settings.accessTier,
        maxObjectBytes,
        head: (signal, ifMatch) => this.#head(call, { signal, ...(ifMatch === undefined ? {} : { ifMatch }) }),
      });
    } catch (error) {
      new BodyReader(body, undefined).close();
      throw toStorageError(error, call);
    }
    return this.#uploader.upload(body, upload, options.signal);
  }

  open(key: string, options: OpenOptions = {}): Promise<OpenedObject> {
    return this.#run('open', key, (call, blobName) =>
      openBlob(this.#clients.transfer(blobName), call, options, this.#settings.idleTimeoutMs, () =>
        this.#head(call, options),
      ),
    );
  }

  head(key: string, options: CallOptions = {}): Promise<ObjectInfo> {
    return this.#run('head', key, (call) => this.#head(call, options));
  }

  delete(key: string, options: DeleteOptions = {}): Promise<void> {
    return this.#run('delete', key, async (call, blobName) => {
      const { signal, ifMatch } = options;
      const conditions = ifMatch === undefined ? {} : { conditions: { ifMatch } };
      try {
        await commit(call, signal, (abort) => this.#clients.remove(blobName).delete({ ...abort, ...conditions }));
      } catch (error) {
        if (isCode(error, 'NOT_FOUND') || (isCode(error, 'PRECONDITION_FAILED') && !(await this.#exists(call, signal))))
          return;
        throw error;
      }
    });
  }

  /** A link that reads this one object: signed with the account key, or with a key that Azure gives to an identity. */
  resolveUrl(key: string, options: UrlOptions = {}): Promise<IssuedUrl> {
    return this.#run('resolveUrl', key, async (call, blobName) => {
      if (!this.capabilities.signedUrl) {
        throw new StorageError(
          'UNSUPPORTED',
          `Storage "${this.id}" has a SAS token only, which would open everything it was made for to whoever gets the link. ` +
            'Give it the account key, or leave the credential out and use an identity.',
        );
      }
      const { ttlSeconds = DEFAULT_TTL_SECONDS, signal } = options;
      const { query, expiresAt } = await this.#links.sign(blobName, ttlSeconds, call, signal);
      return { url: `${this.locate(key)}?${query}`, expiresAt, supportsRange: true };
    });
  }

  /** The blob's URL, which by itself grants nothing. */
  locate(key: string): string {
    const { origin, pathname } = new URL(this.#clients.blob(this.#blobName(key)).url);
    return origin + pathname;
  }

  check(level: CheckLevel, options: CallOptions = {}): Promise<CheckReport> {
    return checkAzure(this, this.#settings, this.#clients, this.#call('check'), level, options.signal);
  }

  /** Blobs whose names are no keys are left out: the folder markers of other programs, for example. */
  async *list(prefix: string, options: CallOptions = {}): AsyncGenerator<ObjectInfo> {
    const call = this.#call('list');
    const { signal } = options;
    const blobs = this.#clients.container.listBlobsFlat({
      prefix: this.#settings.prefix + prefix,
      includeMetadata: true,
      ...(signal ? { abortSignal: signal } : {}),
    });
    for (;;) {
      const next = await request(call, signal, () => blobs.next());
      if (next.done) return;
      const { name, metadata, properties } = next.value;
      const key = name.slice(this.#settings.prefix.length);
      if (isObjectKey(key)) yield infoOf(key, properties.contentLength ?? 0, { ...properties, metadata });
    }
  }

  /** Discards the blocks of uploads that never became an object. Azure does the same one week after the last block. */
  sweepIncomplete(olderThan: Date, options: CallOptions = {}): Promise<SweepReport> {
    const { prefix } = this.#settings;
    return sweepUncommitted(this.#clients, this.#call('sweepIncomplete'), prefix, olderThan, options.signal);
  }

  close(): Promise<void> {
    this.#clients.close();
    return Promise.resolve();
  }

  /** The container's client of `@azure/storage-blob`. */
  native(): ContainerClient {
    return this.#clients.container;
  }

  async #head(call: AzureCall & { readonly key: string }, { signal, ifMatch }: OpenOptions): Promise<ObjectInfo> {
    const properties = await request({ ...call, operation: 'head' }, signal, (abort) =>
      this.#clients
        .blob(this.#blobName(call.key))
        .getProperties({ ...abort, ...(ifMatch === undefined ? {} : { conditions: { ifMatch } }) }),
    );
    return infoOf(call.key, properties.contentLength ?? 0, properties);
  }

  async #exists(call: AzureCall & { readonly key: string }, signal: AbortSignal | undefined): Promise<boolean> {
    try {
      await this.#head(call, signal ? { signal } : {});
      return true;
    } catch (error) {
      if (isCode(error, 'NOT_FOUND')) return false;
      throw error;
    }
  }

  /** @throws StorageError `INVALID_KEY`, also when the key is too long together with the prefix */
  #blobName(key: string): string {
    assertObjectKey(key);
    return assertObjectKey(this.#settings.prefix + key);
  }

  async #run<T>(
    operation: string,
    key: string,
    work: (call: AzureCall & { readonly key: string }, blobName: string) => Promise<T>,
  ): Promise<T> {
    const call = { ...this.#call(operation), key };
    try {
      return await work(call, this.#blobName(key));
    } catch (error) {
      throw toStorageError(error, call);
    }
  }

  #call(operation: string): AzureCall {
    const { access, container } = this.#settings;
    return { storage: this.id, accountUrl: access.accountUrl, container, operation };
  }
}

const isCode = (error: unknown, code: StorageError['code']): boolean => StorageError.is(error) && error.code === code;
