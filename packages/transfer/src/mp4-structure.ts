const HEADER_BYTES = 8;
const LONG_HEADER_BYTES = 16;
/** What an MP4 or QuickTime file begins with. */
const FIRST_BOXES = new Set(['ftyp', 'moov', 'mdat', 'wide', 'free', 'skip']);

/**
 * Follows the top-level boxes of an MP4 or QuickTime file as its bytes pass by, to tell whether it is whole: for sources
 * that do not say how long they are and end by closing the connection, where the end and a cut look the same.
 *
 * @see ISO/IEC 14496-12 §4.2: 4 bytes size, 4 bytes type; size 1: 8 more bytes with the size; size 0: to the end of the file
 */
export class Mp4Structure {
  readonly #header = Buffer.alloc(LONG_HEADER_BYTES);
  #headerBytes = 0;
  /** Bytes of the present box that are still to come, its header not counted. */
  #left = 0;
  readonly #seen = new Set<string>();

  update(bytes: Uint8Array): void {
    let at = 0;
    while (at < bytes.byteLength) {
      if (this.#left > 0) {
        const skipped = Math.min(this.#left, bytes.byteLength - at);
        this.#left -= skipped;
        at += skipped;
        continue;
      }
      const taken = bytes.subarray(at, at + this.#neededHeader() - this.#headerBytes);
      this.#header.set(taken, this.#headerBytes);
      this.#headerBytes += taken.byteLength;
      at += taken.byteLength;
      if (this.#headerBytes === this.#neededHeader()) this.#enterBox();
    }
  }

  /** Whether these bytes are a whole MP4: they end where a box ends, and both index and media were there. */
  get whole(): boolean {
    const [first] = this.#seen;
    const isMp4 = first !== undefined && FIRST_BOXES.has(first);
    return isMp4 && this.#headerBytes === 0 && this.#left === 0 && this.#seen.has('moov') && this.#seen.has('mdat');
  }

  #neededHeader(): number {
    const isLong = this.#headerBytes >= 4 && this.#header.readUInt32BE(0) === 1;
    return isLong ? LONG_HEADER_BYTES : HEADER_BYTES;
  }

  #enterBox(): void {
    const size = this.#header.readUInt32BE(0);
    this.#seen.add(this.#header.toString('latin1', 4, HEADER_BYTES));
    if (size === 0) this.#left = Infinity;
    else if (size === 1)
      this.#left = Math.max(0, Number(this.#header.readBigUInt64BE(HEADER_BYTES)) - LONG_HEADER_BYTES);
    else this.#left = Math.max(0, size - HEADER_BYTES);
    this.#headerBytes = 0;
  }
}
