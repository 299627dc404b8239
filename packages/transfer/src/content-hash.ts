import { createHash, type Hash } from 'node:crypto';
import { crc32c } from '@node-rs/crc32';
import type { ChecksumAlgorithm, Checksums } from '@paradoxon/storage';

/** What this package computes. `crc64nvme` is not among it: no store asks for it alone. */
const COMPUTED = ['sha256', 'md5', 'crc32c'] as const satisfies readonly ChecksumAlgorithm[];

/**
 * Counts and hashes bytes as they pass: SHA-256 always, the others only when somebody compares with them.
 *
 * Each costs CPU (measured 2026-11, seconds per GiB: SHA-256 0.6 to 0.8, MD5 1.4, CRC32C native 0.24), so each is
 * computed once for all targets.
 */
export class ContentHash {
  readonly #hashes = new Map<ChecksumAlgorithm, Hash>();
  #crc32c: number | undefined;
  #size = 0;

  /** @param wanted algorithms beside SHA-256; those that are not computed here are left out */
  constructor(wanted: Iterable<ChecksumAlgorithm> = []) {
    const all = new Set<ChecksumAlgorithm>(['sha256', ...wanted]);
    if (all.has('crc32c')) this.#crc32c = 0;
    for (const algorithm of ['sha256', 'md5'] as const) {
      if (all.has(algorithm)) this.#hashes.set(algorithm, createHash(algorithm));
    }
  }

  /** Bytes so far. */
  get size(): number {
    return this.#size;
  }

  update(bytes: Uint8Array): void {
    this.#size += bytes.byteLength;
    for (const hash of this.#hashes.values()) hash.update(bytes);
    if (this.#crc32c !== undefined) this.#crc32c = crc32c(bytes, this.#crc32c);
  }

  /** Lower-case hex of everything so far; to be called once, at the end. */
  digest(): Checksums & { readonly sha256: string } {
    const checksums: Partial<Record<ChecksumAlgorithm, string>> = {};
    for (const [algorithm, hash] of this.#hashes) checksums[algorithm] = hash.digest('hex');
    if (this.#crc32c !== undefined) checksums.crc32c = (this.#crc32c >>> 0).toString(16).padStart(8, '0');
    return { ...checksums, sha256: checksums.sha256 ?? '' };
  }
}

/**
 * The one advertised checksum worth computing for a comparison: the cheapest that is there, and SHA-256 costs nothing
 * because it is computed anyway.
 */
export function comparedAlgorithm(advertised: Checksums): ChecksumAlgorithm | undefined {
  return (['sha256', 'crc32c', 'md5'] as const).find((algorithm) => advertised[algorithm] !== undefined);
}

/** The algorithms that both sides know. */
export function commonAlgorithms(ours: Checksums, theirs: Checksums): ChecksumAlgorithm[] {
  return COMPUTED.filter((algorithm) => ours[algorithm] !== undefined && theirs[algorithm] !== undefined);
}

/** In words, what differs; `undefined` when nothing that both sides know does. */
export function checksumDifference(ours: Checksums, theirs: Checksums): string | undefined {
  const differing = commonAlgorithms(ours, theirs).find(
    (algorithm) => ours[algorithm]?.toLowerCase() !== theirs[algorithm]?.toLowerCase(),
  );
  return differing && `${differing} is ${theirs[differing]} there and ${ours[differing]} as read`;
}
