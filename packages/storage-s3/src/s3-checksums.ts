import { createHash } from 'node:crypto';
import { crc32c } from '@node-rs/crc32';
import type { ByteSource } from '@paradoxon/storage';

/** Headers of a PUT that let the server verify its bytes. */
export type BodyProof = { readonly ChecksumCRC32C: string } | { readonly ContentMD5: string };

/** Hashes a body part by part, in order, natively, so that the SDK has nothing to hash. */
export class BodyHash {
  readonly #algorithm: 'crc32c' | 'md5';
  readonly #body: ByteSource;
  #crc32c = 0;

  /** @param algorithm what the server verifies */
  constructor(algorithm: 'crc32c' | 'md5', body: ByteSource) {
    this.#algorithm = algorithm;
    this.#body = body;
  }

  /** Of one part; to be called in their order. */
  part(bytes: Buffer): BodyProof {
    if (this.#algorithm === 'md5') return { ContentMD5: createHash('md5').update(bytes).digest('base64') };
    this.#crc32c = crc32c(bytes, this.#crc32c);
    return { ChecksumCRC32C: toBase64(hexOf(crc32c(bytes))) };
  }

  /** Of a body that went in one part, and has ended: as its giver says or, when it does not, as computed here. */
  single(bytes: Buffer): BodyProof {
    const given = this.#body.checksums?.()[this.#algorithm];
    if (given === undefined) return this.part(bytes);
    return this.#algorithm === 'md5' ? { ContentMD5: toBase64(given) } : { ChecksumCRC32C: toBase64(given) };
  }

  /** CRC32C of the whole body, hexadecimal, once it has ended; none where the server does not keep it. */
  whole(): string | undefined {
    if (this.#algorithm === 'md5') return undefined;
    return this.#body.checksums?.().crc32c ?? hexOf(this.#crc32c);
  }
}

/** As S3 writes it. */
export const toBase64 = (hex: string): string => Buffer.from(hex, 'hex').toString('base64');

/**
 * The CRC32C of a whole object, hexadecimal, in an answer. None when the answer has that of its parts' checksums instead
 * (`COMPOSITE`, or `…-3`): it says nothing about the object's bytes.
 */
export function fullCrc32c(answer: {
  readonly ChecksumCRC32C?: string | undefined;
  readonly ChecksumType?: string | undefined;
}): string | undefined {
  const { ChecksumCRC32C: base64, ChecksumType: type } = answer;
  if (base64 === undefined || base64.includes('-') || type === 'COMPOSITE') return undefined;
  return Buffer.from(base64, 'base64').toString('hex');
}

const hexOf = (crc: number): string => crc.toString(16).padStart(8, '0');
