/** Lower-case hex. */
export interface FileChecksums {
  readonly md5?: string;
  readonly crc32c?: string;
}

const BYTES = { md5: 16, crc32c: 4 };

/**
 * What the headers say about the whole stored file.
 *
 * - `x-goog-hash` (what Replicate's file host sends) hashes the stored object, also on a 206; not what is served when
 *   the object is stored compressed.
 * - `repr-digest` (RFC 9530) hashes the whole representation, also on a 206.
 * - `content-md5` and `content-digest` hash what this answer carries: of use when that is everything.
 *
 * @param whole whether the answer carries the whole file
 */
export function checksumsOf(headers: Readonly<Record<string, string>>, whole: boolean): FileChecksums {
  const storedAsServed = (headers['x-goog-stored-content-encoding'] ?? 'identity') === 'identity';
  const claims = [
    ...(whole ? [`md5=${headers['content-md5'] ?? ''}`] : []),
    ...(whole ? listed(headers['content-digest']) : []),
    ...listed(headers['repr-digest']),
    ...(storedAsServed ? listed(headers['x-goog-hash']) : []),
  ];
  const found: { md5?: string; crc32c?: string } = {};
  for (const claim of claims) {
    // RFC 9530 puts colons around the base64, the others do not
    const [, name, base64] = /^\s*(md5|crc32c)=:?([A-Za-z0-9+/]+={0,2}):?\s*$/.exec(claim) ?? [];
    if (base64 === undefined || (name !== 'md5' && name !== 'crc32c')) continue;
    const hash = Buffer.from(base64, 'base64');
    if (hash.length === BYTES[name]) found[name] = hash.toString('hex');
  }
  return found;
}

function listed(header: string | undefined): string[] {
  return header?.split(',') ?? [];
}
