import type { Part, UploadProtocol } from '../../src/plugin/index.ts';

/** What a store does before it answers; what one of these throws is the answer. */
export interface StoreScript {
  readonly partBytes?: number;
  readonly whole?: (signal: AbortSignal) => Promise<unknown>;
  readonly begin?: (signal: AbortSignal) => Promise<unknown>;
  readonly part?: (number: number, signal: AbortSignal) => Promise<unknown>;
  readonly complete?: (signal: AbortSignal) => Promise<unknown>;
  readonly cancel?: () => Promise<unknown>;
}

export interface Receipt {
  readonly number: number;
  readonly bytes: Buffer;
}

/** The memory of requests to one store, over all its puts. */
export class RequestMemory {
  readonly underWay = new Set<ArrayBufferLike>();
  readonly seen = new Set<ArrayBufferLike>();
  readonly failed = new Set<ArrayBufferLike>();
  /** What no request may meet. */
  readonly broken: string[] = [];
  mostUnderWay = 0;

  began({ buffer }: Buffer): void {
    if (this.underWay.has(buffer)) this.broken.push('two requests share their memory');
    if (this.failed.has(buffer)) this.broken.push('the memory of a request that failed is used again');
    this.underWay.add(buffer);
    this.seen.add(buffer);
    this.mostUnderWay = Math.max(this.mostUnderWay, this.underWay.size);
  }

  ended({ buffer }: Buffer, well: boolean): void {
    this.underWay.delete(buffer);
    if (!well) this.failed.add(buffer);
  }
}

/** One put as the store sees it. Resolves with the bytes of the object. */
export class RecordedUpload implements UploadProtocol<string, Receipt, Buffer> {
  readonly partBytes?: number;
  /** Requests in the order in which they began. */
  readonly requests: string[] = [];
  readonly parts: Omit<Part, 'bytes' | 'buffer'>[] = [];
  readonly sizes: number[] = [];
  /** For each cancelling, how many parts were under way. */
  readonly cancelled: number[] = [];
  readonly memory: RequestMemory;
  /** Sessions that it gave. */
  sessions = 0;
  partsUnderWay = 0;
  mostPartsUnderWay = 0;
  totalBytes: number | undefined;
  readonly #script: StoreScript;

  constructor(script: StoreScript = {}, memory = new RequestMemory()) {
    if (script.partBytes !== undefined) this.partBytes = script.partBytes;
    this.#script = script;
    this.memory = memory;
  }

  whole(bytes: Buffer, signal: AbortSignal): Promise<Buffer> {
    this.requests.push('whole');
    return this.#sent(bytes, this.#script.whole?.(signal));
  }

  async begin(signal: AbortSignal): Promise<string> {
    this.requests.push('begin');
    await this.#script.begin?.(signal);
    this.sessions += 1;
    return 'session';
  }

  async part(session: string, part: Part, signal: AbortSignal): Promise<Receipt> {
    const { number, offset, bytes, last } = part;
    this.requests.push(`part ${number}`);
    this.parts.push({ number, offset, last });
    this.sizes.push(bytes.byteLength);
    if (session !== 'session') this.memory.broken.push('a part outside its session');
    this.partsUnderWay += 1;
    this.mostPartsUnderWay = Math.max(this.mostPartsUnderWay, this.partsUnderWay);
    try {
      return { number, bytes: await this.#sent(bytes, this.#script.part?.(number, signal)) };
    } finally {
      this.partsUnderWay -= 1;
    }
  }

  async complete(session: string, receipts: readonly Receipt[], total: number, signal: AbortSignal): Promise<Buffer> {
    this.requests.push('complete');
    if (session !== 'session') this.memory.broken.push('completed outside its session');
    if (this.partsUnderWay > 0) this.memory.broken.push('completed with a part under way');
    this.totalBytes = total;
    await this.#script.complete?.(signal);
    if (!receipts.every(({ number }, index) => number === index + 1)) throw new Error('receipts are not in order');
    return Buffer.concat(receipts.map(({ bytes }) => bytes));
  }

  async cancel(session: string): Promise<void> {
    if (session !== 'session') this.memory.broken.push('cancelled another session');
    this.cancelled.push(this.partsUnderWay);
    await this.#script.cancel?.();
  }

  /** @returns what the store got; it must not have changed on its way */
  async #sent(bytes: Buffer, answer: Promise<unknown> | undefined): Promise<Buffer> {
    const copy = Buffer.from(bytes);
    let well = false;
    this.memory.began(bytes);
    try {
      await answer;
      if (!copy.equals(bytes)) throw new Error('the bytes changed while they were under way');
      well = true;
      return copy;
    } finally {
      this.memory.ended(bytes, well);
    }
  }
}

/** A request that the store does not answer; it rejects as an SDK's does when it is aborted. */
export function unanswered(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    const abort = (): void => reject(new DOMException('This operation was aborted', 'AbortError'));
    if (signal.aborted) abort();
    else signal.addEventListener('abort', abort, { once: true });
  });
}

/** Turns of the event loop. */
export async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}
