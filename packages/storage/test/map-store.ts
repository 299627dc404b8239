import { Readable } from 'node:stream';
import {
  type ByteSource,
  type CallOptions,
  type CheckReport,
  type DeleteOptions,
  type IssuedUrl,
  type ObjectInfo,
  type OpenedObject,
  type OpenOptions,
  type PutOptions,
  resolveRange,
  STORAGE_API_VERSION,
  type StorageCapabilities,
  StorageError,
  type StoragePlugin,
  type StoredObject,
  type UrlOptions,
} from '../src/index.ts';

interface Item {
  readonly bytes: Buffer;
  readonly info?: Partial<ObjectInfo>;
}

/** The smallest store that can be read. (The reference plugin lives in a package that stands on this one.) */
export class MapStore implements StoragePlugin {
  readonly apiVersion = STORAGE_API_VERSION;
  readonly kind = 'map';
  readonly objects = new Map<string, Item>();
  /** The bodies handed out that are not destroyed yet. */
  readonly bodies = new Set<Readable>();
  closed = 0;
  capabilities: StorageCapabilities = {
    write: false,
    expiring: false,
    range: true,
    ifMatch: true,
    createIfAbsent: false,
    unknownSize: false,
    list: false,
    sweepIncomplete: false,
    signedUrl: false,
    checksums: [],
    maxObjectBytes: 0,
  };

  readonly id: string;

  constructor(id: string) {
    this.id = id;
  }

  head(key: string, _options?: CallOptions): Promise<ObjectInfo> {
    const item = this.objects.get(key);
    if (!item) return Promise.reject(new StorageError('NOT_FOUND', `No ${key}.`));
    return Promise.resolve({ key, size: item.bytes.length, metadata: {}, checksums: {}, ...item.info });
  }

  async open(key: string, options: OpenOptions = {}): Promise<OpenedObject> {
    const info = await this.head(key);
    if (options.range && !this.capabilities.range) throw new StorageError('UNSUPPORTED', 'No ranges.');
    const range = options.range && resolveRange(options.range, info.size);
    const bytes = this.objects.get(key)?.bytes ?? Buffer.alloc(0);
    const body = this.bodyOf(range ? bytes.subarray(range.start, range.end + 1) : bytes);
    this.bodies.add(body);
    body.once('close', () => this.bodies.delete(body));
    return { ...info, body };
  }

  /** To be replaced where a test wants another body than an honest one. */
  bodyOf = (bytes: Buffer): Readable => Readable.from(slices(bytes), { objectMode: false });

  put(_key: string, _body: ByteSource, _options?: PutOptions): Promise<StoredObject> {
    return refused();
  }
  delete(_key: string, _options?: DeleteOptions): Promise<void> {
    return refused();
  }
  resolveUrl(_key: string, _options?: UrlOptions): Promise<IssuedUrl> {
    return refused();
  }
  locate(key: string): string {
    return `map:${key}`;
  }
  check(): Promise<CheckReport> {
    return Promise.resolve({ ok: true, steps: [] });
  }
  close(): Promise<void> {
    this.closed += 1;
    return Promise.resolve();
  }
}

const refused = (): Promise<never> => Promise.reject(new StorageError('UNSUPPORTED', 'Read-only.'));

function* slices(bytes: Buffer): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += 65_536) yield bytes.subarray(at, at + 65_536);
}
