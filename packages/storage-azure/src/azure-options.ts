import type { TokenCredential } from '@azure/identity';
import { isObjectKey, StorageError } from '@paradoxon/storage';
import { invalidOptions } from '@paradoxon/storage/plugin';
import { z } from 'zod';
import { type AzureAccess, findAccess } from './azure-credentials.ts';

export interface AzureStorageOptions {
  /** `https://NAME.blob.core.windows.net`, or an emulator's `http://127.0.0.1:10000/devstoreaccount1`. Absent only with a connection string. */
  readonly accountUrl?: string;
  /** Name of the blob container. It must exist. */
  readonly container: string;
  /**
   * An account key, a SAS token or a connection string, told apart by their form; in code also any `TokenCredential` of
   * `@azure/identity`. Absent: its `DefaultAzureCredential` (environment, workload identity, managed identity, Azure CLI).
   */
  readonly credential?: string | TokenCredential;
  /** Folder within the container, as in `films/2026`: put in front of every key, and taken off again. */
  readonly prefix?: string;
  /** Of new objects; the account's own when absent. */
  readonly accessTier?: AccessTier;
  /** Bytes of one block, and of the largest object that is sent in one request; 8 MiB when absent. */
  readonly partBytes?: number;
  /** Blocks of one `put` under way at once, and buffers that all puts share beyond one each; 4 when absent. */
  readonly uploadConcurrency?: number;
  /** Longest silence on a connection, milliseconds; 60,000 when absent. There is no limit on a whole transfer. */
  readonly idleTimeoutMs?: number;
}

export type AccessTier = 'Hot' | 'Cool' | 'Cold';

export interface AzureSettings {
  readonly access: AzureAccess;
  readonly container: string;
  /** Empty, or ends with a slash. */
  readonly prefix: string;
  readonly accessTier: AccessTier | undefined;
  readonly partBytes: number;
  readonly uploadConcurrency: number;
  readonly idleTimeoutMs: number;
}

const KiB = 1024;
const MiB = 1024 ** 2;
const MAX_PART_BYTES = 1024 * MiB;

const ACCOUNT_URL =
  'an https URL such as https://NAME.blob.core.windows.net, without container, user, query and fragment';
const CONTAINER = 'the name of a container: 3 to 63 of a-z, 0-9 and single dashes';
const CREDENTIAL = 'an account key, a SAS token, a connection string or a TokenCredential';
const PREFIX = 'a folder such as films/2026';
const TIER = 'Hot, Cool or Cold (what is in Archive cannot be read, so no copy in it could be checked or played)';
const PART_BYTES = `a whole number of bytes from ${64 * KiB} (64 KiB) to ${MAX_PART_BYTES} (1 GiB)`;
const CONCURRENCY = 'a whole number from 1 to 64';
const IDLE_MS = 'a whole number of milliseconds from 100 to 3600000';

/** The message of a failed check is what the option allows. */
const optionsSchema = z.strictObject(
  {
    accountUrl: z.string(ACCOUNT_URL).refine(isAccountUrl, ACCOUNT_URL).optional(),
    container: z.string(CONTAINER).refine(isContainerName, CONTAINER),
    credential: z.union([z.string(), z.custom<TokenCredential>(isTokenCredential)], CREDENTIAL).optional(),
    prefix: z.string(PREFIX).refine(isPrefix, PREFIX).optional(),
    accessTier: z.enum(['Hot', 'Cool', 'Cold'], TIER).optional(),
    partBytes: z
      .int(PART_BYTES)
      .min(64 * KiB, PART_BYTES)
      .max(MAX_PART_BYTES, PART_BYTES)
      .default(8 * MiB),
    uploadConcurrency: z.int(CONCURRENCY).min(1, CONCURRENCY).max(64, CONCURRENCY).default(4),
    idleTimeoutMs: z.int(IDLE_MS).min(100, IDLE_MS).max(3_600_000, IDLE_MS).default(60_000),
  },
  'an object with accountUrl and container',
);

/**
 * @param id of the storage, for the message
 * @throws StorageError `INVALID_CONFIG` naming every bad option, its value (never a secret) and what is allowed
 */
export function parseAzureOptions(id: string, options: AzureStorageOptions): AzureSettings {
  const parsed = optionsSchema.safeParse(options);
  if (!parsed.success) {
    throw invalidOptions(id, parsed.error.issues, options, (name) => name === 'credential');
  }
  const { accountUrl, credential, prefix = '', accessTier, ...rest } = parsed.data;
  const access = findAccess(accountUrl?.replace(/\/+$/, ''), credential, rest.idleTimeoutMs);
  if (typeof access === 'string') {
    throw new StorageError('INVALID_CONFIG', `Storage "${id}" cannot start: ${access}.`, {
      scope: 'local',
      storage: id,
    });
  }
  const folder = prefix === '' || prefix.endsWith('/') ? prefix : `${prefix}/`;
  return { ...rest, access, prefix: folder, accessTier };
}

function isAccountUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, hostname, username, password, pathname } = new URL(text);
  if (!/^https?:$/.test(protocol) || username !== '' || password !== '' || /[?#]/.test(text)) return false;
  // Azure's own hosts name the account; an emulator's path does
  return pathname === '/' || (!/\.blob\./.test(hostname) && /^\/[^/]+\/?$/.test(pathname));
}

function isContainerName(name: string): boolean {
  return (/^[a-z0-9-]{3,63}$/.test(name) && !/^-|-$|--/.test(name)) || name === '$root' || name === '$web';
}

function isPrefix(prefix: string): boolean {
  return prefix === '' || isObjectKey(prefix.replace(/\/$/, ''));
}

function isTokenCredential(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'getToken' in value && typeof value.getToken === 'function';
}
