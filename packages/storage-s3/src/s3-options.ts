import { invalidOptions } from '@paradoxon/storage/plugin';
import { z } from 'zod';

export interface S3StorageOptions {
  readonly bucket: string;
  /** Where the bucket is: `eu-central-1`. Required on AWS; `us-east-1` when an `endpoint` is given. */
  readonly region?: string;
  /**
   * Keys, or what gives keys and is asked again when they expire. Absent: the AWS chain, which is environment, profile,
   * web identity, container and instance role.
   */
  readonly credentials?: S3Credentials | (() => Promise<S3Credentials>);
  /** Another server than AWS: `https://<account>.r2.cloudflarestorage.com`, `http://127.0.0.1:9000`. */
  readonly endpoint?: string;
  /** `endpoint/bucket/key` instead of `bucket.endpoint/key`; true when an `endpoint` is given. */
  readonly forcePathStyle?: boolean;
  /** The store is what lies below `prefix/`: keys go in and come out without it. */
  readonly prefix?: string;
  /** Storage class of new objects, one whose objects can be read at once: `STANDARD_IA`, `INTELLIGENT_TIERING`, `GLACIER_IR`, … */
  readonly storageClass?: string;
  /**
   * How the server proves that it got the bytes. `WHEN_SUPPORTED` (default): by their CRC32C, which it keeps and reports.
   * `WHEN_REQUIRED`: by Content-MD5, for servers that do not know CRC32C (older Ceph, some compatibles).
   */
  readonly requestChecksumCalculation?: 'WHEN_SUPPORTED' | 'WHEN_REQUIRED';
  /** false for servers that ignore or refuse `If-None-Match` and `If-Match` on writes; `ifAbsent` is then refused. True if absent. */
  readonly conditionalWrites?: boolean;
  /** Bytes of a part, and of the largest object that goes in one request; at least 5 MiB, 8 MiB if absent. */
  readonly partBytes?: number;
  /** Parts of one put under way at once, and buffers beyond the one of each put, for all puts together; 4 if absent. */
  readonly uploadConcurrency?: number;
  /** Longest silence of a connection, milliseconds; 60,000 if absent. */
  readonly idleTimeoutMs?: number;
}

export interface S3Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Of temporary keys (STS). */
  readonly sessionToken?: string;
  /** When temporary keys end: links signed with them end then, too. */
  readonly expiration?: Date;
}

const MiB = 1024 ** 2;
const MIN_PART_BYTES = 5 * MiB;
const MAX_PART_BYTES = 5 * 1024 * MiB;
/** Their objects must be restored for hours before they can be read. */
const ARCHIVES = ['GLACIER', 'DEEP_ARCHIVE'];

const BUCKET = 'the name of a bucket, without s3:// and without a path';
const REGION = "a region's name such as eu-central-1; only with an endpoint may it be absent";
const CREDENTIALS = 'an object with accessKeyId, secretAccessKey and perhaps sessionToken and expiration, or absent';
const ENDPOINT = 'an http or https URL without user, query and fragment';
const PREFIX = 'a key without leading slash, `//` or `..`, of at most 512 bytes';
const STORAGE_CLASS = `a storage class in capitals whose objects can be read at once (not ${ARCHIVES.join(', ')})`;
const CHECKSUMS = 'WHEN_SUPPORTED or WHEN_REQUIRED';
const PART_BYTES = `a whole number of bytes from ${MIN_PART_BYTES} to ${MAX_PART_BYTES}`;
const CONCURRENCY = 'a whole number from 1 to 64';
const IDLE = 'a whole number of milliseconds from 100 to 3600000';
const FLAG = 'true or false';

const keys = z.strictObject(
  {
    accessKeyId: z.string('an access key id').min(1, 'an access key id'),
    secretAccessKey: z.string('a secret access key').min(1, 'a secret access key'),
    sessionToken: z.string('a session token').min(1, 'a session token').exactOptional(),
    expiration: z.date('a Date').exactOptional(),
  },
  CREDENTIALS,
);

/** The message of a failed check is what the option allows. */
const optionsSchema = z
  .strictObject(
    {
      bucket: z.string(BUCKET).regex(/^[a-z0-9][\w.-]{1,254}$/i, BUCKET),
      region: z
        .string(REGION)
        .regex(/^[a-z0-9][a-z0-9-]{0,62}$/i, REGION)
        .optional(),
      credentials: z
        .union([z.custom<() => Promise<S3Credentials>>((value) => typeof value === 'function'), keys], CREDENTIALS)
        .optional(),
      endpoint: z
        .string(ENDPOINT)
        .refine(isEndpoint, ENDPOINT)
        .transform((url) => url.replace(/\/+$/, ''))
        .optional(),
      forcePathStyle: z.boolean(FLAG).optional(),
      prefix: z
        .string(PREFIX)
        .transform((prefix) => prefix.replace(/\/$/, ''))
        .refine(isPrefix, PREFIX)
        .optional(),
      storageClass: z
        .string(STORAGE_CLASS)
        .regex(/^[A-Z][A-Z0-9_]*$/, STORAGE_CLASS)
        .refine((name) => !ARCHIVES.includes(name), STORAGE_CLASS)
        .optional(),
      requestChecksumCalculation: z.enum(['WHEN_SUPPORTED', 'WHEN_REQUIRED'], CHECKSUMS).default('WHEN_SUPPORTED'),
      conditionalWrites: z.boolean(FLAG).default(true),
      partBytes: z
        .int(PART_BYTES)
        .min(MIN_PART_BYTES, PART_BYTES)
        .max(MAX_PART_BYTES, PART_BYTES)
        .default(8 * MiB),
      uploadConcurrency: z.int(CONCURRENCY).min(1, CONCURRENCY).max(64, CONCURRENCY).default(4),
      idleTimeoutMs: z.int(IDLE).min(100, IDLE).max(3_600_000, IDLE).default(60_000),
    },
    'an object with bucket, region and what else the README lists',
  )
  .refine(({ region, endpoint }) => region !== undefined || endpoint !== undefined, {
    path: ['region'],
    message: REGION,
  })
  .transform((options) => ({
    ...options,
    region: options.region ?? 'us-east-1',
    forcePathStyle: options.forcePathStyle ?? options.endpoint !== undefined,
    /** Empty, or ends with a slash. */
    prefix: options.prefix ? `${options.prefix}/` : '',
  }));

/** The options with their defaults. */
export type S3Settings = z.infer<typeof optionsSchema>;

/**
 * @param id of the storage, for the message
 * @throws StorageError `INVALID_CONFIG` naming every bad option, its value (never a key) and what is allowed
 */
export function parseS3Options(id: string, options: S3StorageOptions): S3Settings {
  const parsed = optionsSchema.safeParse(options);
  if (parsed.success) return parsed.data;
  throw invalidOptions(id, parsed.error.issues.flatMap(insideUnion), options, isSecret);
}

/** What is wrong with keys, when they are no function that gives keys: 'credentials.secretAccessKey must be …'. */
function insideUnion(issue: z.core.$ZodIssue): z.core.$ZodIssue[] {
  if (issue.code !== 'invalid_union') return [issue];
  return (issue.errors.at(-1) ?? []).map((inner) => ({ ...inner, path: [...issue.path, ...inner.path] }));
}

/** The id of a key as well: it is the secret when somebody has mixed the two up. */
const isSecret = (name: string): boolean =>
  ['credentials', 'accessKeyId', 'secretAccessKey', 'sessionToken'].includes(name);

function isEndpoint(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, username, password } = new URL(text);
  return /^https?:$/.test(protocol) && username === '' && password === '' && !/[?#]/.test(text);
}

/** Empty, as an environment variable may be: none. */
function isPrefix(prefix: string): boolean {
  if (prefix === '') return true;
  if (Buffer.byteLength(prefix) > 512 || /[\p{Cc}\\]/u.test(prefix)) return false;
  return prefix.split('/').every((segment) => segment !== '' && !segment.endsWith('.'));
}
