import { buffer } from 'node:stream/consumers';
import {
  type ByteSource,
  type CallOptions,
  type IssuedUrl,
  type ObjectInfo,
  type OpenedObject,
  type OpenOptions,
  type PutOptions,
  type StorageCapabilities,
  StorageError,
  type StoredObject,
  type UrlOptions,
} from '../../src/index.ts';
import { assertNotAborted } from '../../src/plugin/index.ts';
import { MapStore } from '../map-store.ts';

/** A MapStore that can be written and linked to; each call can be replaced by one that fails. */
export class LinkedStore extends MapStore {
  /** Calls in their order. */
  readonly calls: string[] = [];
  /** Where links lead; the key is appended. */
  origin = 'http://127.0.0.1:9';
  /** The longest life of a link as the credentials would have it, seconds; null: for ever. */
  lifeSeconds: number | null = Infinity;
  supportsRange = true;
  /** Called before each call does anything. */
  before: (call: string, signal: AbortSignal | undefined) => void | Promise<void> = () => undefined;

  constructor(capabilities: Partial<StorageCapabilities> = {}) {
    super('linked');
    this.capabilities = {
      ...this.capabilities,
      write: true,
      createIfAbsent: true,
      signedUrl: { maxTtlSeconds: 7 * 24 * 3600 },
      ...capabilities,
    };
  }

  override async put(key: string, body: ByteSource, options: PutOptions = {}): Promise<StoredObject> {
    await this.#call(options.ifAbsent ? 'put if absent' : 'put', options.signal);
    if (options.ifAbsent && this.objects.has(key)) throw new StorageError('ALREADY_EXISTS', 'It is there.');
    const { contentType } = options;
    this.objects.set(key, { bytes: await buffer(body.chunks), info: contentType === undefined ? {} : { contentType } });
    return super.head(key);
  }

  override async head(key: string, options: CallOptions = {}): Promise<ObjectInfo> {
    await this.#call('head', options.signal);
    return super.head(key);
  }

  override async open(key: string, options: OpenOptions = {}): Promise<OpenedObject> {
    await this.#call(options.range ? 'open a range' : 'open', options.signal);
    return super.open(key, options);
  }

  override async delete(key: string, options: CallOptions = {}): Promise<void> {
    await this.#call('delete', options.signal);
    this.objects.delete(key);
  }

  override async resolveUrl(key: string, { ttlSeconds = 900, signal }: UrlOptions = {}): Promise<IssuedUrl> {
    await this.#call('resolveUrl', signal);
    const life = this.lifeSeconds;
    return {
      url: `${this.origin}/${key}?signature=secret`,
      expiresAt: life === null ? null : new Date(Date.now() + Math.min(ttlSeconds, life) * 1000),
      supportsRange: this.supportsRange,
    };
  }

  async #call(call: string, signal: AbortSignal | undefined): Promise<void> {
    this.calls.push(call);
    assertNotAborted(signal);
    await this.before(call, signal);
    assertNotAborted(signal);
  }
}
