import { createCipheriv, createHash } from 'node:crypto';

const CHUNK_BYTES = 64 * 1024;
const BLOCK_BYTES = 16;

/**
 * Pseudo-random bytes, 64 KiB at a time: every byte follows from `seed` and its offset, so any part can be had alone.
 *
 * @param start first byte
 * @param end last byte, inclusive
 */
export function* noise(seed: number, start: number, end: number): Generator<Buffer, void, undefined> {
  // AES in counter mode can be entered at any block
  const firstBlock = Math.floor(start / BLOCK_BYTES);
  const counter = Buffer.alloc(BLOCK_BYTES);
  counter.writeBigUInt64BE(BigInt(firstBlock), 8);
  const stream = createCipheriv('aes-128-ctr', createHash('md5').update(String(seed)).digest(), counter);
  stream.update(Buffer.alloc(start - firstBlock * BLOCK_BYTES));
  const zeros = Buffer.alloc(CHUNK_BYTES);
  for (let at = start; at <= end; at += CHUNK_BYTES) {
    yield stream.update(zeros.subarray(0, Math.min(CHUNK_BYTES, end + 1 - at)));
  }
}

/** The first `size` bytes of that noise. */
export const noiseBytes = (size: number, seed: number): Buffer => Buffer.concat([...noise(seed, 0, size - 1)]);
