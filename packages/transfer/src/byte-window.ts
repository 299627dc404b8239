/** Small enough for a slow target to ask for the next one in time, large enough that chunks are few. */
const SLAB_BYTES = 256 * 1024;
const SMALLEST_BYTES = 64 * 1024;

/**
 * The bytes between one reader and several targets: a ring of slabs, written once, with one cursor per target. Holds what
 * the slowest cursor has not let go of, and never more than its capacity. The memory of a chunk is written over when all
 * cursors have asked for the one behind it.
 *
 * Copying into slabs costs one pass over the memory. It buys an exact bound whatever chunks a source gives (one byte each,
 * or views that keep a large buffer alive), sources that use their memory again, and no garbage.
 */
export class ByteWindow {
  readonly #slabs: (Buffer | undefined)[];
  readonly #slabBytes: number;
  readonly #cursors = new Set<Cursor>();
  readonly #withheldFrom: number;
  /** Counted from the first byte of the source, like all positions here. */
  #written = 0;
  #ended = false;
  #roomWanted: (() => void) | undefined;

  /**
   * @param bytes capacity; rounded up to whole slabs
   * @param announcedSize of the source. Its last byte is given to no cursor before `end()`: a store that knows the size
   *   may commit with the last byte, and by then everything must have been compared
   */
  constructor(bytes: number, announcedSize?: number) {
    this.#slabBytes = Math.min(SLAB_BYTES, Math.max(SMALLEST_BYTES, bytes));
    this.#slabs = new Array<Buffer | undefined>(Math.ceil(Math.max(SMALLEST_BYTES, bytes) / this.#slabBytes));
    this.#withheldFrom = announcedSize === undefined ? Infinity : Math.max(0, announcedSize - 1);
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** Whether the writer waits for a cursor to let go of something. */
  get full(): boolean {
    return this.#roomWanted !== undefined;
  }

  /** The position of the cursor that holds most. */
  get tail(): number {
    let tail = this.#written;
    for (const cursor of this.#cursors) tail = Math.min(tail, cursor.position);
    return tail;
  }

  /** To be called before the first write. */
  attach(): Cursor {
    const cursor = new Cursor({
      read: (position) => this.#read(position),
      moved: () => this.#moved(),
      left: (gone) => {
        this.#cursors.delete(gone);
        this.#moved();
      },
    });
    this.#cursors.add(cursor);
    return cursor;
  }

  /**
   * Copies as much as there is room for.
   * @returns bytes taken
   */
  write(bytes: Uint8Array): number {
    // nobody will read them
    if (this.#cursors.size === 0) {
      this.#written += bytes.byteLength;
      return bytes.byteLength;
    }
    const taken = Math.min(bytes.byteLength, this.#room());
    for (let done = 0; done < taken;) {
      const { slab, offset } = this.#place(this.#written);
      const part = bytes.subarray(done, Math.min(taken, done + this.#slabBytes - offset));
      slab.set(part, offset);
      done += part.byteLength;
      this.#written += part.byteLength;
    }
    this.#wake();
    return taken;
  }

  /** Resolves when `write` can take something again. */
  async room(): Promise<void> {
    if (this.#room() > 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#roomWanted = resolve;
    await promise;
  }

  /** Nothing more comes, and all of it is good. */
  end(): void {
    this.#ended = true;
    this.#wake();
  }

  #room(): number {
    return this.#slabs.length * this.#slabBytes - (this.#written - this.tail);
  }

  #place(position: number): { slab: Buffer; offset: number } {
    const index = Math.floor(position / this.#slabBytes) % this.#slabs.length;
    const slab = (this.#slabs[index] ??= Buffer.allocUnsafeSlow(this.#slabBytes));
    return { slab, offset: position % this.#slabBytes };
  }

  /** What a cursor at this position gets now; `undefined`: it has to wait. */
  #read(position: number): Uint8Array | 'end' | undefined {
    const readable = this.#ended ? this.#written : Math.min(this.#written, this.#withheldFrom);
    if (position >= readable) return this.#ended ? 'end' : undefined;
    const { slab, offset } = this.#place(position);
    return slab.subarray(offset, Math.min(this.#slabBytes, offset + readable - position));
  }

  #wake(): void {
    for (const cursor of this.#cursors) cursor.wake();
  }

  #moved(): void {
    if (this.#roomWanted === undefined || this.#room() === 0) return;
    this.#roomWanted();
    this.#roomWanted = undefined;
  }
}

interface WindowOfCursor {
  read(position: number): Uint8Array | 'end' | undefined;
  moved(): void;
  left(cursor: Cursor): void;
}

/** How far one target has come. */
export class Cursor {
  readonly #window: WindowOfCursor;
  #position = 0;
  #given = 0;
  #open = true;
  #error: Error | undefined;
  #wanted: { resolve: (chunk: Uint8Array | undefined) => void; reject: (error: Error) => void } | undefined;

  constructor(window: WindowOfCursor) {
    this.#window = window;
  }

  /** Everything before it has been let go of. */
  get position(): number {
    return this.#position;
  }

  /** Whether its target has asked for bytes that are not there yet. */
  get waiting(): boolean {
    return this.#wanted !== undefined;
  }

  /** Whether there is something to ask for. */
  get hasMore(): boolean {
    return this.#open && this.#window.read(this.#given) !== undefined;
  }

  /** `false` once its target was told the end, or it was closed. */
  get open(): boolean {
    return this.#open;
  }

  /**
   * Lets go of the chunk that was given last and waits for the next one.
   * @returns `undefined` at the end
   */
  async next(): Promise<Uint8Array | undefined> {
    if (this.#error) throw this.#error;
    this.#position = this.#given;
    this.#window.moved();
    const { promise, resolve, reject } = Promise.withResolvers<Uint8Array | undefined>();
    this.#wanted = { resolve, reject };
    this.wake();
    return promise;
  }

  /** Looks whether what its target waits for is there. */
  wake(): void {
    if (!this.#wanted) return;
    const found = this.#window.read(this.#given);
    if (found === undefined) return;
    const { resolve } = this.#wanted;
    this.#wanted = undefined;
    if (found === 'end') {
      this.close();
      resolve(undefined);
      return;
    }
    this.#given += found.byteLength;
    resolve(found);
  }

  /** Takes it out of the window. @param error what its target gets when it asks, or already waits, for more */
  close(error?: Error): void {
    this.#error ??= error;
    if (!this.#open) return;
    this.#open = false;
    this.#window.left(this);
    const wanted = this.#wanted;
    this.#wanted = undefined;
    if (error) wanted?.reject(error);
    else wanted?.resolve(undefined);
  }
}
