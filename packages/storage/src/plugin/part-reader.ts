/** A piece of a body, in memory that belongs to the upload until it is given back. */
export interface Part {
  /** From 1. */
  readonly number: number;
  /** Of its first byte in the object. */
  readonly offset: number;
  readonly bytes: Buffer;
  /** The memory that `bytes` is a view of. */
  readonly buffer: Buffer;
  /** Nothing comes behind it. */
  readonly last: boolean;
}

/** Cuts a body into parts: each is full, but for the last one, which alone may be empty. */
export class PartReader {
  readonly #chunks: AsyncIterator<Uint8Array>;
  /** What is left of the chunk that was given last: it stays valid until the next one is asked for. */
  #rest: Uint8Array = Buffer.alloc(0);
  #number = 0;
  #offset = 0;

  constructor(chunks: AsyncIterable<Uint8Array>) {
    this.#chunks = chunks[Symbol.asyncIterator]();
  }

  /** Fills the buffer. To be called until a part says that it is the last. */
  async next(buffer: Buffer): Promise<Part> {
    let filled = 0;
    let ended = false;
    // goes on, when it is full, to where the next byte or the end is: only then is it known whether it is the last
    while (!ended && (filled < buffer.byteLength || this.#rest.byteLength === 0)) {
      const taken = Math.min(this.#rest.byteLength, buffer.byteLength - filled);
      buffer.set(this.#rest.subarray(0, taken), filled);
      filled += taken;
      this.#rest = this.#rest.subarray(taken);
      if (this.#rest.byteLength > 0) continue;
      const next = await this.#chunks.next();
      if (next.done) ended = true;
      else this.#rest = next.value;
    }
    this.#number += 1;
    const part = {
      number: this.#number,
      offset: this.#offset,
      bytes: buffer.subarray(0, filled),
      buffer,
      last: ended,
    };
    this.#offset += filled;
    return part;
  }
}
