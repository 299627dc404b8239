/**
 * The memory of one store's uploads: every put may hold one buffer, and all of them together may hold so many more. So
 * `(puts at once + extra) × partBytes` bounds it, and no put ever waits for a buffer that another one holds: two stores fed
 * from one source would otherwise wait for each other for ever.
 */
export class PartBuffers {
  readonly partBytes: number;
  readonly #extra: number;
  readonly #free: Buffer[] = [];
  #extraInUse = 0;
  #leases = 0;

  /**
   * @param partBytes of one buffer
   * @param extra buffers beyond the one that every put has
   */
  constructor(partBytes: number, extra: number) {
    this.partBytes = partBytes;
    this.#extra = extra;
  }

  /**
   * One put's share.
   * @param bytes of each of its buffers; those of another size than `partBytes` are not kept for the next put
   */
  lease(bytes = this.partBytes): BufferLease {
    this.#leases += 1;
    return new BufferLease({
      take: (held) => {
        if (held > 0 && this.#extraInUse >= this.#extra) return undefined;
        if (held > 0) this.#extraInUse += 1;
        const free = this.#free.pop();
        // one of another size takes the place of a free one. Not from Node's pool: nothing else keeps this memory alive
        return free?.byteLength === bytes ? free : Buffer.allocUnsafeSlow(bytes);
      },
      put: (held, buffer) => {
        if (held > 0) this.#extraInUse -= 1;
        if (buffer?.byteLength === this.partBytes) this.#free.push(buffer);
      },
      end: () => {
        this.#leases -= 1;
        // nothing is held while nothing is written
        if (this.#leases === 0) this.#free.length = 0;
      },
    });
  }
}

interface BufferStock {
  /** @param held buffers that this put has already */
  take(held: number): Buffer | undefined;
  /** @param held buffers that this put still has */
  put(held: number, buffer: Buffer | undefined): void;
  end(): void;
}

export class BufferLease {
  readonly #stock: BufferStock;
  #held = 0;

  constructor(stock: BufferStock) {
    this.#stock = stock;
  }

  /** `undefined`: not before one of one's own was given back. */
  take(): Buffer | undefined {
    const buffer = this.#stock.take(this.#held);
    if (buffer) this.#held += 1;
    return buffer;
  }

  /** @param buffer absent: it may still be read by a request that failed, and is left to the garbage collection */
  giveBack(buffer?: Buffer): void {
    this.#held -= 1;
    this.#stock.put(this.#held, buffer);
  }

  /** To be called once, when no part is under way. One buffer may still be held: it is left to the garbage collection. */
  end(): void {
    this.#stock.end();
  }
}
