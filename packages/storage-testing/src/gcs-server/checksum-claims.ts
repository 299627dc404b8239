import { digestOf } from '../digest.ts';
import { invalid } from './gcs-error.ts';

/** What a client says of the bytes that it sends, base64 as on the wire. */
export interface ChecksumClaims {
  readonly crc32c?: string;
  readonly md5Hash?: string;
}

/** Both checksums of an object, base64 as on the wire. */
export function checksumsOf(bytes: Uint8Array): Required<ChecksumClaims> {
  return { crc32c: base64Digest('crc32c', bytes), md5Hash: base64Digest('md5', bytes) };
}

const base64Digest = (algorithm: 'crc32c' | 'md5', bytes: Uint8Array): string =>
  Buffer.from(digestOf(algorithm, bytes), 'hex').toString('base64');

/** Reads `X-Goog-Hash: crc32c=…,md5=…`; Node joins the lines of a header that came twice. */
export function claimsOfHeader(header: string | undefined): ChecksumClaims {
  const claims = new Map(
    (header ?? '').split(',').map((claim) => {
      const [algorithm = '', ...value] = claim.trim().split('=');
      return [algorithm.toLowerCase(), value.join('=')];
    }),
  );
  const [crc32c, md5Hash] = [claims.get('crc32c'), claims.get('md5')];
  return { ...(crc32c === undefined ? {} : { crc32c }), ...(md5Hash === undefined ? {} : { md5Hash }) };
}

/** @throws GcsError 400 `invalid` for the first claim that is wrong */
export function demandChecksums(claims: ChecksumClaims, actual: Required<ChecksumClaims>): void {
  const { crc32c = actual.crc32c, md5Hash = actual.md5Hash } = claims;
  if (crc32c !== actual.crc32c) {
    throw invalid(`Provided CRC32C "${crc32c}" doesn't match calculated CRC32C "${actual.crc32c}".`, 'CrcMismatch');
  }
  if (md5Hash !== actual.md5Hash) {
    throw invalid(`Provided MD5 hash "${md5Hash}" doesn't match calculated MD5 hash "${actual.md5Hash}".`, 'BadDigest');
  }
}
