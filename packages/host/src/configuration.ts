import { resolve } from 'node:path';
import type { ExportModuleOptions } from '@paradoxon/export';
import { z } from 'zod';
import { type ConfigFile, fileStoreIds } from './config-file.ts';
import { ConfigurationError } from './configuration-error.ts';
import { list } from './list.ts';
import { cloudEnvironment, type CloudSettings, cloudSettings, storeIdOf } from './stores/clouds.ts';

const GiB = 1024 ** 3;
const STRATEGY_OF_PROFILE = { development: 'direct', production: 'hybrid', archive: 'cloud' } as const;

/**
 * The whole configuration by environment. docs/configuration.md is compared with it by a test: a variable without a
 * line there, or a line without a variable, fails.
 */
export const environmentSchema = z.object({
  PARADOXON_PROFILE: z
    .enum(['development', 'production', 'archive'])
    .default('production')
    .describe('Picks the strategy: `development` direct, `production` hybrid, `archive` cloud.'),
  STORAGE_STRATEGY: z
    .enum(['direct', 'cloud', 'hybrid'])
    .optional()
    .describe("Which copies a film should have; overrides the profile's."),
  STORAGES: list
    .pipe(z.array(z.string()).min(1))
    .optional()
    .describe(
      'Stores that films are copied to, separated by commas, the preferred to play from first; if absent every store that is configured, and `local` when none is.',
    ),
  PARADOXON_CONFIG: z
    .string()
    .min(1)
    .optional()
    .describe('File that adds stores in code; `paradoxon.config.mjs` in the working directory, if it is there.'),
  DATA_DIR: z.string().min(1).default('./data').describe('Folder for the embedded database and the local store.'),
  LOCAL_STORAGE_DIR: z
    .string()
    .min(1)
    .optional()
    .describe('Folder of the local store; `storage` in `DATA_DIR` if absent. Switches the store on.'),
  ...cloudEnvironment,
  DATABASE_URL: z
    .url({ protocol: /^postgres(ql)?$/, error: 'a URL like postgresql://user:password@host:5432/database' })
    .optional()
    .describe('A PostgreSQL server instead of the embedded database.'),
  HOST: z
    .string()
    .min(1)
    .default('127.0.0.1')
    .describe('Address the service listens on. Loopback only, until API keys exist.'),
  PORT: z.coerce
    .number()
    .int()
    .min(0)
    .max(65_535)
    .default(3000)
    .describe('Port the service listens on; 0 takes a free one.'),
  PUBLIC_URL: z
    .url({ protocol: /^https?$/, error: 'a URL like https://films.example.com' })
    .optional()
    .describe('Where users reach the service; `http://HOST:PORT` if absent.'),
  REPLICATE_API_TOKEN: z
    .string()
    .min(1)
    .optional()
    .describe('Needed only for scenes that are known by `prediction_id`.'),
  SOURCE_HOSTS: list
    .pipe(z.array(z.string().regex(/^(\*|(\*\.)?[a-z0-9.-]+)$/, { error: 'host names, `*.host` or `*`' })).min(1))
    .optional()
    .describe(
      "Hosts that videos are fetched from; Replicate's own if absent. `*` allows every public host; addresses that are not public stay refused.",
    ),
  SOURCE_PRIVATE_ADDRESSES: list
    .pipe(z.array(z.union([z.ipv4(), z.ipv6()], { error: 'exact IP addresses' })))
    .default([])
    .describe(
      'Exact addresses, otherwise refused, that videos may be fetched from: for tests and local runs. Warned of at start.',
    ),
  SOURCE_RETENTION_MINUTES: z.coerce
    .number()
    .int()
    .min(1)
    .max(525_600)
    .default(60)
    .describe('How long a direct URL lives after it was posted, minutes.'),
  MAX_VIDEO_BYTES: z.coerce
    .number()
    .int()
    .min(1)
    .default(2 * GiB)
    .describe('Largest video, bytes.'),
  ARCHIVE_CONCURRENCY: z.coerce.number().int().min(1).max(64).default(4).describe('Scenes worked on at once.'),
  LOG_LEVEL: z
    .enum(['fatal', 'error', 'warn', 'info', 'debug', 'silent'])
    .default('info')
    .describe('How much is logged.'),
});

/** The configuration of one process, checked, with every default filled in. */
export interface Configuration {
  readonly strategy: ExportModuleOptions['strategy'];
  /** Ids of the stores that films are copied to, the preferred to play from first. */
  readonly storages: readonly string[];
  /** The clouds that the environment switches on; they need not be among `storages`. */
  readonly clouds: CloudSettings;
  /** Stores added in code. */
  readonly file: ConfigFile;
  readonly localStorageDir: string;
  readonly database: ExportModuleOptions['database'];
  readonly dataDir: string;
  readonly host: string;
  readonly port: number;
  readonly publicUrl: string | undefined;
  readonly replicateApiToken: string | undefined;
  /** Absent: those of the source plugin. */
  readonly sourceHosts: readonly string[] | undefined;
  readonly sourcePrivateAddresses: readonly string[];
  readonly sourceRetentionMinutes: number;
  readonly maxVideoBytes: number;
  readonly archiveConcurrency: number;
  readonly logLevel: 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'silent';
}

/** Values that must not be repeated in an error. */
const SECRET = /TOKEN|KEY|SECRET|CREDENTIAL|DATABASE_URL/;
const LOOPBACK = new Set(['127.0.0.1', '::1', 'localhost']);

/**
 * @param environment usually `process.env`; an empty value counts as absent, as in a `.env` file
 * @param file what paradoxon.config.mjs exports
 * @throws ConfigurationError naming each variable, what it was and what is allowed
 */
export function parseConfiguration(
  environment: Readonly<Record<string, string | undefined>>,
  file: ConfigFile = { storages: [] },
): Configuration {
  const given = Object.fromEntries(Object.entries(environment).filter(([, value]) => value));
  const parsed = environmentSchema.safeParse(given);
  if (!parsed.success) throw new ConfigurationError(problems(parsed.error, given));
  const env = parsed.data;
  if (!LOOPBACK.has(env.HOST)) {
    throw new ConfigurationError([
      `HOST is "${env.HOST}": without API keys the service listens on loopback only (127.0.0.1, ::1 or localhost).`,
    ]);
  }
  const fileIds = file.storages.flatMap(fileStoreIds);
  const listed = env.STORAGES?.map(storeIdOf);
  const clouds = cloudSettings(env, listed ?? [], fileIds);
  const configured = [...fileIds, ...Object.keys(clouds), ...(env.LOCAL_STORAGE_DIR === undefined ? [] : ['local'])];
  assertKnown(env.STORAGES ?? [], new Set([...configured, 'local']));
  const dataDir = resolve(env.DATA_DIR);
  return {
    strategy: env.STORAGE_STRATEGY ?? STRATEGY_OF_PROFILE[env.PARADOXON_PROFILE],
    storages: listed ?? (configured.length > 0 ? configured : ['local']),
    clouds,
    file,
    localStorageDir: resolve(env.LOCAL_STORAGE_DIR ?? `${dataDir}/storage`),
    database: env.DATABASE_URL === undefined ? { folder: `${dataDir}/database` } : { url: env.DATABASE_URL },
    dataDir,
    host: env.HOST,
    port: env.PORT,
    publicUrl: env.PUBLIC_URL?.replace(/\/+$/, ''),
    replicateApiToken: env.REPLICATE_API_TOKEN,
    sourceHosts: env.SOURCE_HOSTS,
    sourcePrivateAddresses: env.SOURCE_PRIVATE_ADDRESSES,
    sourceRetentionMinutes: env.SOURCE_RETENTION_MINUTES,
    maxVideoBytes: env.MAX_VIDEO_BYTES,
    archiveConcurrency: env.ARCHIVE_CONCURRENCY,
    logLevel: env.LOG_LEVEL,
  };
}

/** @param listed as the operator wrote them */
function assertKnown(listed: readonly string[], known: ReadonlySet<string>): void {
  const unknown = listed.filter((id) => !known.has(storeIdOf(id)));
  if (unknown.length === 0) return;
  throw new ConfigurationError([
    `STORAGES is "${listed.join(',')}": there is no store ${unknown.join(', ')}. Configured are ${[...known].join(', ')}; ` +
      's3, gcs and azure are switched on by their variables, others by paradoxon.config.mjs.',
  ]);
}

function problems(error: z.ZodError, given: Readonly<Record<string, string | undefined>>): string[] {
  const lines = error.issues.map((issue) => {
    const name = String(issue.path[0]);
    const value = SECRET.test(name) ? 'set, and not shown here' : JSON.stringify(given[name]);
    return `${name} is ${value}: ${allowed(issue)}.`;
  });
  return [...new Set(lines)];
}

/** What is allowed, from zod's own words. */
function allowed(issue: z.core.$ZodIssue): string {
  if (issue.code === 'invalid_value') return `allowed is ${issue.values.map(String).join(', ')}`;
  if (issue.code === 'too_small')
    return `must be at least ${String(issue.minimum)}${issue.origin === 'array' ? ' item' : ''}`;
  if (issue.code === 'too_big') return `must be at most ${String(issue.maximum)}`;
  if (issue.code === 'invalid_type')
    return `must be ${issue.expected === 'number' ? 'a number' : `of type ${issue.expected}`}`;
  return `must be ${issue.message}`;
}
