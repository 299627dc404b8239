import { createHash } from 'node:crypto';
import type { ChecksumAlgorithm, Checksums } from '@paradoxon/storage';

/** Lower-case hexadecimal digest of a whole object. Meant for tests: the CRCs are table-driven, not fast. */
export function digestOf(algorithm: ChecksumAlgorithm, bytes: Uint8Array): string {
  switch (algorithm) {
    case 'sha256':
    case 'md5':
      return createHash(algorithm).update(bytes).digest('hex');
    case 'crc32c':
      return crc32c(bytes).toString(16).padStart(8, '0');
    case 'crc64nvme':
      return crc64nvme(bytes).toString(16).padStart(16, '0');
  }
}

export function digestsOf(algorithms: readonly ChecksumAlgorithm[], bytes: Uint8Array): Checksums {
  return Object.fromEntries(algorithms.map((algorithm) => [algorithm, digestOf(algorithm, bytes)]));
}

/** Castagnoli (RFC 3720 §B.4), reflected. */
const CRC32C = Uint32Array.from({ length: 256 }, (_, byte) => {
  let remainder = byte;
  for (let bit = 0; bit < 8; bit += 1) remainder = remainder & 1 ? (remainder >>> 1) ^ 0x82f63b78 : remainder >>> 1;
  return remainder;
});

function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  // five times as fast as for…of (measured on Node 24): the GCS server hashes every upload with it
  for (let at = 0; at < bytes.length; at += 1) crc = (crc >>> 8) ^ (CRC32C[(crc ^ (bytes[at] ?? 0)) & 0xff] ?? 0);
  return (crc ^ 0xffffffff) >>> 0;
}

/** The polynomial of the NVM Express specification, reflected: what S3 calls CRC64NVME. */
const CRC64 = BigUint64Array.from({ length: 256 }, (_, byte) => {
  let remainder = BigInt(byte);
  for (let bit = 0; bit < 8; bit += 1) {
    remainder = remainder & 1n ? (remainder >> 1n) ^ 0x9a6c9329ac4bc9b5n : remainder >> 1n;
  }
  return remainder;
});

function crc64nvme(bytes: Uint8Array): bigint {
  const ones = 0xffffffffffffffffn;
  let crc = ones;
  for (const byte of bytes) crc = (crc >> 8n) ^ (CRC64[Number((crc ^ BigInt(byte)) & 0xffn)] ?? 0n);
  return crc ^ ones;
}
