import { randomUUID } from 'node:crypto';
import { addAbortSignal, Readable } from 'node:stream';
import {
  assertObjectKey,
  type ByteSource,
  type CallOptions,
  type CheckLevel,
  type CheckReport,
  type CheckStep,
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
  type SweepReport,
  type UrlOptions,
} from '@paradoxon/storage';
import { digestsOf } from './digest.ts';
import { MemoryCall } from './memory-call.ts';
import { untilAborted } from './until-aborted.ts';

/** What a MemoryStorage can do when nothing is switched off. */
const EVERYTHING: StorageCapabilities = {
  write: true,
  expiring: false,
  range: true,
  ifMatch: true,
  createIfAbsent: true,
  unknownSize: true,
  list: true,
  sweepIncomplete: true,
  signedUrl: false,
  checksums: ['sha256'],
  maxObjectBytes: 1024 ** 3,
};

/**
 * Capabilities to switch off, a smaller limit, other checksums. Neither `expiring` nor `signedUrl`: nothing in memory
 * disappears by itself, and plain HTTP cannot reach it.
 */
export type MemoryCapabilities = Partial<Omit<StorageCapabilities, 'expiring' | 'signedUrl'>>;

interface Entry {
  readonly info: ObjectInfo;
  readonly bytes: Uint8Array;
}

/** An upload that has begun and is not yet an object. */
interface Upload {
  readonly key: string;
  readonly startedAt: Date;
  readonly chunks: Uint8Array[];
  bytes: number;
}

const READ_CHUNK_BYTES = 64 * 1024;

/**
 * The reference plugin: objects in this process's memory. For tests, and for reading: it does what the contract asks
 * for with nothing else in the way.
 */
export class MemoryStorage implements StoragePlugin {
  readonly apiVersion = STORAGE_API_VERSION;
  readonly kind: string = 'memory';
  readonly id: string;
  readonly capabilities: StorageCapabilities;
  readonly list?: (prefix: string, options?: CallOptions) => AsyncIterable<ObjectInfo>;
  readonly sweepIncomplete?: (olderThan: Date, options?: CallOptions) => Promise<SweepReport>;
  readonly #objects = new Map<string, Entry>();
  readonly #uploads = new Set<Upload>();
  #version = 0;

  /** @param capabilities what to switch off or make smaller */
  constructor(id = 'memory', capabilities: MemoryCapabilities = {}) {
    this.id = id;
    this.capabilities = { ...EVERYTHING, ...capabilities };
    if (this.capabilities.list) this.list = (prefix, options = {}) => this.#list(prefix, options);
    if (this.capabilities.sweepIncomplete) {
      this.sweepIncomplete = (olderThan, options = {}) => this.#sweep(olderThan, options);
    }
  }

  async put(key: string, body: ByteSource, options: PutOptions = {}): Promise<StoredObject> {
    const call = await this.#begin('put', key, options.signal);
    const { write, unknownSize, createIfAbsent, maxObjectBytes } = this.capabilities;
    if (!write) throw call.refusal('UNSUPPORTED', 'is read-only');
    if (body.size === undefined && !unknownSize) throw call.refusal('UNSUPPORTED', 'has to know the size beforehand');
    if (options.ifAbsent && !createIfAbsent) throw call.refusal('UNSUPPORTED', 'cannot create only if absent');
    if ((body.size ?? 0) > maxObjectBytes) throw call.refusal('TOO_LARGE', `takes at most ${maxObjectBytes} bytes`);
    if (options.ifAbsent && this.#objects.has(key)) throw call.refusal('ALREADY_EXISTS', `already has ${key}`);

    const upload: Upload = { key, startedAt: new Date(), chunks: [], bytes: 0 };
    this.#uploads.add(upload);
    try {
      await this.#receive(upload, body, call);
      // from here to the end nothing is awaited: no reader and no other writer can come between
      if (body.size !== undefined && upload.bytes < body.size) {
        throw call.refusal('SOURCE_TRUNCATED', `got ${upload.bytes} bytes of ${body.size}`);
      }
      if (!this.#uploads.has(upload)) throw call.refusal('ABORTED', `swept the upload of ${key} away`);
      if (options.ifAbsent && this.#objects.has(key)) throw call.refusal('ALREADY_EXISTS', `already has ${key}`);
      const entry = this.#entryOf(upload, options);
      this.#objects.set(key, entry);
      return entry.info;
    } finally {
      this.#uploads.delete(upload);
    }
  }

  async open(key: string, options: OpenOptions = {}): Promise<OpenedObject> {
    const call = await this.#begin('open', key, options.signal);
    if (options.range && !this.capabilities.range) throw call.refusal('UNSUPPORTED', 'cannot serve ranges');
    if (options.ifMatch !== undefined && !this.capabilities.ifMatch) {
      throw call.refusal('UNSUPPORTED', 'cannot compare versions');
    }
    const { info, bytes } = this.#find(call);
    if (options.ifMatch !== undefined && options.ifMatch !== info.etag) {
      throw call.refusal('PRECONDITION_FAILED', `has another version of ${key}`);
    }
    const { range } = options;
    const served = range && call.named(() => resolveRange(range, info.size));
    const body = Readable.from(copies(served ? bytes.subarray(served.start, served.end + 1) : bytes), {
      objectMode: false,
    });
    return {
      ...info,
      ...(served ? { range: served } : {}),
      body: options.signal ? addAbortSignal(options.signal, body) : body,
    };
  }

  async head(key: string, options: CallOptions = {}): Promise<ObjectInfo> {
    return this.#find(await this.#begin('head', key, options.signal)).info;
  }

  async delete(key: string, options: DeleteOptions = {}): Promise<void> {
    const call = await this.#begin('delete', key, options.signal);
    if (!this.capabilities.write) throw call.refusal('UNSUPPORTED', 'is read-only');
    if (options.ifMatch !== undefined) {
      if (!this.capabilities.ifMatch) throw call.refusal('UNSUPPORTED', 'cannot compare versions');
      const found = this.#objects.get(key);
      if (found && found.info.etag !== options.ifMatch) {
        throw call.refusal('PRECONDITION_FAILED', `has another version of ${key}`);
      }
    }
    this.#objects.delete(key);
  }

  async resolveUrl(key: string, options: UrlOptions = {}): Promise<IssuedUrl> {
    const call = await this.#begin('resolveUrl', key, options.signal);
    throw call.refusal('UNSUPPORTED', 'has no URLs: it is in memory');
  }

  locate(key: string): string {
    return `memory://${this.id}/${encodeURI(assertObjectKey(key)).replaceAll('?', '%3F').replaceAll('#', '%23')}`;
  }

  async check(level: CheckLevel, options: CallOptions = {}): Promise<CheckReport> {
    const steps: CheckStep[] = [{ name: 'memory', ok: true, detail: `${this.#objects.size} objects` }];
    if (level === 'write') {
      steps.push(
        this.capabilities.write ? await this.#canary(options) : { name: 'put', ok: false, detail: 'It is read-only.' },
      );
    }
    return { ok: steps.every((step) => step.ok), steps };
  }

  /** Lays an object in, past every capability: what a read-only store holds. */
  seed(key: string, bytes: Uint8Array, options: PutOptions = {}): StoredObject {
    const upload: Upload = {
      key: assertObjectKey(key),
      startedAt: new Date(),
      chunks: [bytes],
      bytes: bytes.byteLength,
    };
    const entry = this.#entryOf(upload, options);
    this.#objects.set(key, entry);
    return entry.info;
  }

  /** What is physically here: the keys, and the uploads that have not ended. For `StorageHarness.leftovers`. */
  leftovers(): string[] {
    return [...this.#objects.keys(), ...[...this.#uploads].map((upload) => `upload of ${upload.key}`)];
  }

  async #receive(upload: Upload, body: ByteSource, call: MemoryCall): Promise<void> {
    const limit = body.size ?? this.capabilities.maxObjectBytes;
    for await (const chunk of untilAborted(body.chunks, call.signal, call.aborted)) {
      upload.bytes += chunk.byteLength;
      if (upload.bytes > limit) throw call.refusal('TOO_LARGE', `got more than ${limit} bytes`);
      // the chunk's memory is the giver's again when the next one is asked for
      upload.chunks.push(Uint8Array.from(chunk));
    }
  }

  #entryOf(upload: Upload, options: PutOptions): Entry {
    const bytes = Buffer.concat(upload.chunks);
    this.#version += 1;
    return {
      bytes,
      info: {
        key: upload.key,
        size: bytes.byteLength,
        etag: `v${this.#version}`,
        contentType: options.contentType ?? 'application/octet-stream',
        ...(options.cacheControl === undefined ? {} : { cacheControl: options.cacheControl }),
        metadata: { ...options.metadata },
        lastModified: new Date(),
        checksums: digestsOf(this.capabilities.checksums, bytes),
      },
    };
  }

  #find(call: MemoryCall): Entry {
    const found = this.#objects.get(call.key);
    if (found) return found;
    throw call.refusal('NOT_FOUND', `has no object ${call.key}`);
  }

  async *#list(prefix: string, { signal }: CallOptions): AsyncGenerator<ObjectInfo> {
    const call = new MemoryCall(this.id, 'list', prefix, signal);
    await call.answer();
    for (const { info } of [...this.#objects.values()]) {
      if (info.key.startsWith(prefix)) yield info;
      if (signal?.aborted) throw call.aborted();
    }
  }

  async #sweep(olderThan: Date, { signal }: CallOptions): Promise<SweepReport> {
    await new MemoryCall(this.id, 'sweepIncomplete', '', signal).answer();
    const old = [...this.#uploads].filter((upload) => upload.startedAt < olderThan);
    for (const upload of old) this.#uploads.delete(upload);
    return { removed: old.length };
  }

  async #canary(options: CallOptions): Promise<CheckStep> {
    const key = `check/${randomUUID()}`;
    try {
      await this.put(key, { size: 5, chunks: Readable.from([Buffer.from('check')]) }, options);
      return { name: 'put', ok: true };
    } catch (error) {
      return { name: 'put', ok: false, detail: StorageError.from(error).message };
    } finally {
      this.#objects.delete(key);
    }
  }

  /** What every call on a key begins with. */
  async #begin(operation: string, key: string, signal: AbortSignal | undefined): Promise<MemoryCall> {
    const call = new MemoryCall(this.id, operation, key, signal);
    call.named(() => assertObjectKey(key));
    await call.answer();
    return call;
  }
}

/** Copies, so that a reader who writes into a chunk changes no object. */
function* copies(bytes: Uint8Array): Generator<Buffer> {
  for (let at = 0; at < bytes.byteLength; at += READ_CHUNK_BYTES) {
    yield Buffer.from(bytes.subarray(at, at + READ_CHUNK_BYTES));
  }
}
