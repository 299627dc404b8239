import { isObjectKey } from '@paradoxon/storage';
import { invalidOptions } from '@paradoxon/storage/plugin';
import { z } from 'zod';

export interface GcsStorageOptions {
  /** The bucket's name, without `gs://`. */
  readonly bucket: string;
  /** The project that is asked for by `native()`'s own calls; objects are found without it. */
  readonly projectId?: string;
  /** Path of a credentials file as Google issues them: a service account's key, or a workload identity configuration. */
  readonly keyFilename?: string;
  /**
   * The content of such a file. Without either, Application Default Credentials: GOOGLE_APPLICATION_CREDENTIALS, a gcloud
   * login, or the metadata server of Google's own machines.
   */
  readonly credentials?: Readonly<Record<string, unknown>>;
  /** Origin of a private endpoint, https (http only on this machine). Default: `https://storage.googleapis.com`. */
  readonly endpoint?: string;
  /** Everything is stored below this folder, which keys do not mention. */
  readonly prefix?: string;
  /** Storage class of new objects. Default: the bucket's. */
  readonly storageClass?: 'STANDARD' | 'NEARLINE' | 'COLDLINE' | 'ARCHIVE';
  /** Bytes of one part, and of the largest object that is sent in one request; a multiple of 256 KiB. Default: 8 MiB. */
  readonly partBytes?: number;
  /** Buffers of `partBytes` that all puts together may hold beyond one each, to read ahead while a part is sent. Default: 4. */
  readonly uploadConcurrency?: number;
  /** Longest silence of a connection before a call fails, milliseconds. Default: 60,000. */
  readonly idleTimeoutMs?: number;
}

/** The options with their defaults. */
export interface GcsSettings extends GcsStorageOptions {
  /** Empty, or ends with '/'. */
  readonly prefix: string;
  readonly partBytes: number;
  readonly uploadConcurrency: number;
  readonly idleTimeoutMs: number;
}

const KIB = 1024;
const QUANTUM_BYTES = 256 * KIB;
const STORAGE_CLASSES = ['STANDARD', 'NEARLINE', 'COLDLINE', 'ARCHIVE'] as const;

const BUCKET = 'the name of a bucket (lower-case letters, digits, dashes, dots and underscores), without gs://';
const CREDENTIALS = 'the content of a credentials file: an object with client_email and private_key, or with a type';
const ENDPOINT = 'the origin of an https server, without path and query (http only on this machine)';
const PREFIX = 'a folder in the bucket that keeps the rules of object keys, like films/2026';
const PART_BYTES = 'a multiple of 262144 (256 KiB), 1073741824 (1 GiB) at most';
const CONCURRENCY = 'a whole number from 1 to 64';
const IDLE = 'milliseconds, from 100 to 3600000 (an hour)';
const TEXT = 'a text of one character or more';

/** The message of a failed check is what the option allows. */
const optionsSchema = z
  .strictObject(
    {
      bucket: z.string(BUCKET).regex(/^[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]$/, BUCKET),
      projectId: z.string(TEXT).min(1, TEXT).optional(),
      keyFilename: z.string(TEXT).min(1, TEXT).optional(),
      credentials: z.record(z.string(), z.unknown(), CREDENTIALS).refine(isCredentials, CREDENTIALS).optional(),
      endpoint: z
        .string(ENDPOINT)
        .refine(isOrigin, ENDPOINT)
        .transform((url) => new URL(url).origin)
        .optional(),
      prefix: z
        .string(PREFIX)
        .refine(isFolder, PREFIX)
        .transform((prefix) => (prefix === '' ? '' : `${prefix.replace(/\/$/, '')}/`))
        .default(''),
      storageClass: z.enum(STORAGE_CLASSES, `one of ${STORAGE_CLASSES.join(', ')}`).optional(),
      partBytes: z
        .int(PART_BYTES)
        .min(QUANTUM_BYTES, PART_BYTES)
        .max(KIB ** 3, PART_BYTES)
        .multipleOf(QUANTUM_BYTES, PART_BYTES)
        .default(8 * KIB ** 2),
      uploadConcurrency: z.int(CONCURRENCY).min(1, CONCURRENCY).max(64, CONCURRENCY).default(4),
      idleTimeoutMs: z.int(IDLE).min(100, IDLE).max(3_600_000, IDLE).default(60_000),
    },
    'an object with bucket',
  )
  .refine(({ keyFilename, credentials }) => keyFilename === undefined || credentials === undefined, {
    path: ['keyFilename'],
    message: 'absent where credentials are given',
  });

/**
 * @param id of the storage, for the message
 * @throws StorageError `INVALID_CONFIG` naming every bad option, its value (never a credential) and what is allowed
 */
export function parseGcsOptions(id: string, options: GcsStorageOptions): GcsSettings {
  const parsed = optionsSchema.safeParse(options);
  if (!parsed.success) throw invalidOptions(id, parsed.error.issues, options, (name) => name === 'credentials');
  const given = Object.entries(parsed.data).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given) as unknown as GcsSettings;
}

/** Whether an object looks like a credentials file of Google's. */
export function isCredentials(content: object): boolean {
  const { type, client_email, private_key } = content as Record<string, unknown>;
  if (type !== undefined && type !== 'service_account') return typeof type === 'string';
  return typeof client_email === 'string' && typeof private_key === 'string';
}

/** A token must not travel in clear text: http is for servers on this machine. */
function isOrigin(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, hostname, origin, href } = new URL(text);
  if (href !== `${origin}/`) return false;
  return protocol === 'https:' || (protocol === 'http:' && ['127.0.0.1', '[::1]', 'localhost'].includes(hostname));
}

function isFolder(text: string): boolean {
  return text === '' || isObjectKey(text.replace(/\/$/, ''));
}
