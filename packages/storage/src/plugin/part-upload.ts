import { setTimeout as sleep } from 'node:timers/promises';
import type { ByteSource } from '../storage-plugin.ts';
import { abortedError, assertNotAborted } from './aborted.ts';
import { BodyReader } from './body-reader.ts';
import { type BufferLease, PartBuffers } from './part-buffers.ts';
import { type Part, PartReader } from './part-reader.ts';

/** How long a failed put waits for the store to forget its parts; after that it happens behind its back. */
const CANCEL_PATIENCE_MS = 1000;

/** How a store takes an object: whole in one request, or in parts. All of it for one put. */
export interface UploadProtocol<Session, Receipt, Result> {
  /** Bytes of each part when not the uploader's own: a store that allows so many parts needs larger ones for a large object. */
  readonly partBytes?: number;
  /** The object fits into one part. May be empty. */
  whole(bytes: Buffer, signal: AbortSignal): Promise<Result>;
  begin(signal: AbortSignal): Promise<Session>;
  /** `bytes` may be read until this settles; when it rejects, longer: they are not used again. */
  part(session: Session, part: Part, signal: AbortSignal): Promise<Receipt>;
  /**
   * Makes the object visible.
   * @param receipts of all parts, in their order
   */
  complete(session: Session, receipts: readonly Receipt[], totalBytes: number, signal: AbortSignal): Promise<Result>;
  /** Makes the store forget the session and its parts. No part of it is under way any more. */
  cancel(session: Session): Promise<void>;
}

export interface PartUploaderOptions {
  /** Bytes of one part, and of the largest object that is sent whole. */
  readonly partBytes: number;
  /** Parts of one put under way at once; 1: one after the other, in order. */
  readonly partsAtOnce: number;
  /** Buffers beyond the one of each put, for all puts together. */
  readonly extraBuffers: number;
}

/**
 * Sends bodies to one store through buffers of its own: whole when they fit into one, else in parts, several at once.
 *
 * It holds `(puts at once + extraBuffers) × partBytes` bytes at most. SDKs are given whole buffers, never a stream: that
 * makes each part the unit of a retry, and no SDK can take a body that ends short for one that is complete.
 */
export class PartUploader {
  readonly #buffers: PartBuffers;
  readonly #partsAtOnce: number;

  constructor({ partBytes, partsAtOnce, extraBuffers }: PartUploaderOptions) {
    this.#buffers = new PartBuffers(partBytes, extraBuffers);
    this.#partsAtOnce = partsAtOnce;
  }

  /**
   * Resolves with what `whole` or `complete` resolved with. When it rejects, the body is closed and the session cancelled.
   *
   * @throws what the body threw, unchanged; StorageError `SOURCE_TRUNCATED`, `TOO_LARGE`, `ABORTED`; or what the protocol threw
   */
  async upload<Session, Receipt, Result>(
    body: ByteSource,
    protocol: UploadProtocol<Session, Receipt, Result>,
    signal?: AbortSignal,
  ): Promise<Result> {
    const partBytes = protocol.partBytes ?? this.#buffers.partBytes;
    // a small object of known size needs no more memory than it has bytes
    const lease = this.#buffers.lease(Math.min(partBytes, body.size ?? Infinity));
    const put = new OnePut(body, protocol, lease, this.#partsAtOnce, signal);
    try {
      return await put.run();
    } finally {
      lease.end();
    }
  }
}

class OnePut<Session, Receipt, Result> {
  readonly #protocol: UploadProtocol<Session, Receipt, Result>;
  readonly #lease: BufferLease;
  readonly #partsAtOnce: number;
  readonly #signal: AbortSignal | undefined;
  /** Ends the reading and every request of this put. */
  readonly #stop = new AbortController();
  readonly #reader: BodyReader;
  readonly #parts: PartReader;
  readonly #running = new Set<Promise<void>>();
  readonly #receipts: Receipt[] = [];
  /** The first of the parts' failures; the others follow from it. */
  #failure: { readonly error: unknown } | undefined;

  constructor(
    body: ByteSource,
    protocol: UploadProtocol<Session, Receipt, Result>,
    lease: BufferLease,
    partsAtOnce: number,
    signal: AbortSignal | undefined,
  ) {
    this.#protocol = protocol;
    this.#lease = lease;
    this.#partsAtOnce = partsAtOnce;
    this.#signal = signal;
    this.#reader = new BodyReader(body, this.#stop.signal);
    this.#parts = new PartReader(this.#reader.chunks());
  }

  async run(): Promise<Result> {
    const abort = (): void => this.#stop.abort(this.#signal?.reason);
    this.#signal?.addEventListener('abort', abort, { once: true });
    try {
      assertNotAborted(this.#signal);
      const first = await this.#read();
      if (!first.last) return await this.#inParts(first);
      // its buffer is not given back: nobody waits for it, and a request that failed may still be reading it
      return await this.#protocol.whole(first.bytes, this.#stop.signal);
    } finally {
      this.#signal?.removeEventListener('abort', abort);
      this.#reader.close();
    }
  }

  async #inParts(first: Part): Promise<Result> {
    const session = await this.#protocol.begin(this.#stop.signal);
    try {
      let totalBytes = first.bytes.byteLength;
      this.#send(session, first);
      for (let part = first; !part.last;) {
        part = await this.#read();
        totalBytes += part.bytes.byteLength;
        await this.#fewerThan(this.#partsAtOnce);
        this.#send(session, part);
      }
      await this.#fewerThan(1);
      return await this.#protocol.complete(session, this.#receipts, totalBytes, this.#stop.signal);
    } catch (error) {
      // what was stopped says no more than that it was stopped; what the source threw, it threw before it was stopped
      const cause = this.#failure && !this.#reader.threw(error) ? this.#failure.error : error;
      this.#stop.abort(cause);
      // a part that arrived behind the cancelling would stay in the store
      await Promise.all(this.#running);
      await this.#cancel(session);
      throw cause;
    }
  }

  async #read(): Promise<Part> {
    for (;;) {
      const buffer = this.#lease.take();
      if (buffer) return this.#parts.next(buffer);
      await Promise.race(this.#running);
    }
  }

  #send(session: Session, part: Part): void {
    const sending = this.#protocol
      .part(session, part, this.#stop.signal)
      .then(
        (receipt) => {
          this.#receipts[part.number - 1] = receipt;
          this.#lease.giveBack(part.buffer);
        },
        (error: unknown) => {
          // an SDK's words for "aborted" are many
          this.#failure ??= { error: this.#signal?.aborted ? abortedError(this.#signal) : error };
          this.#stop.abort(error);
          this.#lease.giveBack();
        },
      )
      .finally(() => this.#running.delete(sending));
    this.#running.add(sending);
  }

  async #fewerThan(count: number): Promise<void> {
    while (this.#running.size >= count) await Promise.race(this.#running);
    if (this.#failure) throw this.#failure.error;
    assertNotAborted(this.#signal);
  }

  async #cancel(session: Session): Promise<void> {
    // the caller is told why the put failed; parts that the store keeps all the same are what sweepIncomplete removes
    const cancelled = Promise.resolve(session)
      .then((own) => this.#protocol.cancel(own))
      .catch(() => undefined);
    const patience = new AbortController();
    const waited = sleep(CANCEL_PATIENCE_MS, undefined, { signal: patience.signal }).catch(() => undefined);
    await Promise.race([cancelled, waited]);
    patience.abort();
  }
}
