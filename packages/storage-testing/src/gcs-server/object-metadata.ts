import type { ChecksumClaims } from './checksum-claims.ts';
import { GcsError } from './gcs-error.ts';

/** The writable fields of an object resource that this server keeps. */
export interface ObjectMetadata {
  readonly contentType?: string;
  readonly cacheControl?: string;
  readonly contentDisposition?: string;
  readonly contentEncoding?: string;
  readonly contentLanguage?: string;
  readonly storageClass?: string;
  readonly metadata?: Readonly<Record<string, string>>;
}

/** An object resource as a client sends it. `null` (in a PATCH) deletes. */
export interface SentResource {
  readonly name?: string;
  readonly claims: ChecksumClaims;
  readonly fields: Readonly<Record<string, string | null>>;
  readonly metadata?: Readonly<Record<string, string | null>> | null;
}

const FIELDS = [
  'contentType',
  'cacheControl',
  'contentDisposition',
  'contentEncoding',
  'contentLanguage',
  'storageClass',
];

/**
 * @param json the body of an insert or a PATCH; nothing at all is an empty resource
 * @throws GcsError 400 `parseError`
 */
export function parseResource(json: string): SentResource {
  const sent = json.trim() === '' ? {} : parse(json);
  const texts = (names: readonly string[], of: object): Record<string, string | null> =>
    Object.fromEntries(
      Object.entries(of).filter(
        (field): field is [string, string | null] =>
          names.includes(field[0]) && (typeof field[1] === 'string' || field[1] === null),
      ),
    );
  const { name, crc32c, md5Hash, metadata } = sent;
  return {
    ...(typeof name === 'string' ? { name } : {}),
    claims: {
      ...(typeof crc32c === 'string' ? { crc32c } : {}),
      ...(typeof md5Hash === 'string' ? { md5Hash } : {}),
    },
    fields: texts(FIELDS, sent),
    ...(metadata === null ? { metadata } : {}),
    ...(isRecord(metadata) ? { metadata: texts(Object.keys(metadata), metadata) } : {}),
  };
}

/** @returns what an object that had `before` has after a PATCH with `sent`; an insert patches nothing */
export function patched(before: ObjectMetadata, sent: SentResource): ObjectMetadata {
  const { metadata: pairs, ...fields } = before;
  const metadata = sent.metadata === null ? {} : withoutNulls({ ...pairs, ...sent.metadata });
  return {
    ...withoutNulls({ ...fields, ...sent.fields }),
    ...(Object.keys(metadata).length > 0 ? { metadata } : {}),
  };
}

function withoutNulls(fields: Readonly<Record<string, string | null>>): Record<string, string> {
  return Object.fromEntries(Object.entries(fields).filter((field): field is [string, string] => field[1] !== null));
}

function parse(json: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(json);
    if (isRecord(value)) return value;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw new GcsError(400, 'parseError', 'Parse Error');
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
