import { drizzle, type NodePgDatabase } from 'drizzle-orm/node-postgres';
import pg from 'pg';
import { DatabaseError } from './database-error.ts';
import { startEmbeddedPostgres } from './embedded-postgres.ts';
import { migrateDatabase } from './migrations.ts';
import * as schema from './schema.ts';

const MAX_CONNECTIONS = 10;
const OLDEST_VERSION = 14;

export interface DatabaseOptions {
  /** A shared PostgreSQL, 14 or later. Exactly one of `url` and `folder`. */
  readonly url?: string;
  /** Where a private PostgreSQL, started by us, keeps its files. Created when absent; one process at a time. */
  readonly folder?: string;
  readonly log?: (message: string) => void;
  /** Called at most once, when the private PostgreSQL has stopped by itself. */
  readonly onLost?: (error: DatabaseError) => void;
}

export interface Database {
  /** For further connections (LISTEN). Secret: may hold a password. */
  readonly url: string;
  readonly pool: pg.Pool;
  readonly db: NodePgDatabase<typeof schema>;
  /** Waits for running queries, closes the pool, then stops the private PostgreSQL. */
  close(): Promise<void>;
}

/**
 * Opens the database and brings its tables up to date.
 *
 * @throws DatabaseError `DATABASE_IN_USE`, `DATABASE_UNAVAILABLE`, `DATABASE_UNSUPPORTED_PLATFORM`,
 *   `DATABASE_UNSUPPORTED_VERSION`, `DATABASE_MISCONFIGURED`
 */
export async function openDatabase(options: DatabaseOptions): Promise<Database> {
  const { log = () => undefined } = options;
  const server = await chooseServer(options);
  const pool = new pg.Pool({ connectionString: server.url, max: MAX_CONNECTIONS, connectionTimeoutMillis: 30_000 });
  let closing: Promise<void> | undefined;
  // of a connection that lies idle in the pool: the pool replaces it, and who needs it next hears if that fails
  pool.on('error', (error) => {
    if (!closing) log(`A database connection broke: ${error.message}`);
  });
  const close = async () => {
    await pool.end();
    await server.stop();
  };
  const database = { url: server.url, pool, db: drizzle(pool, { schema }), close: () => (closing ??= close()) };
  try {
    await checkVersion(pool, server.name);
    await migrateDatabase(pool);
    return database;
  } catch (error) {
    await database.close();
    throw toDatabaseError(error, server.name);
  }
}

interface Server {
  readonly url: string;
  /** For messages: no secret in it. */
  readonly name: string;
  stop(): Promise<void>;
}

async function chooseServer({ url, folder, ...options }: DatabaseOptions): Promise<Server> {
  if (folder !== undefined && url === undefined) {
    const name = `the PostgreSQL in ${folder}`;
    try {
      return { name, ...(await startEmbeddedPostgres({ folder, ...options })) };
    } catch (error) {
      throw toDatabaseError(error, name);
    }
  }
  if (url !== undefined && folder === undefined) return { url, name: nameOf(url), stop: () => Promise.resolve() };
  throw new DatabaseError('DATABASE_MISCONFIGURED', 'A database needs either a url or a folder.');
}

function nameOf(url: string): string {
  // the parser's own error is not passed on: it may hold the URL, and that the password
  if (!/^postgres(ql)?:\/\//.test(url) || !URL.canParse(url)) {
    throw new DatabaseError(
      'DATABASE_MISCONFIGURED',
      'DATABASE_URL must look like postgresql://user:password@host:5432/name, with special characters %-encoded.',
    );
  }
  const { host, pathname, searchParams } = new URL(url);
  return `the PostgreSQL at ${searchParams.get('host') ?? decodeURIComponent(host)}${pathname}`;
}

async function checkVersion(pool: pg.Pool, name: string): Promise<void> {
  const { rows } = await pool.query<{ number: string; text: string }>(
    `select current_setting('server_version_num') as number, current_setting('server_version') as text`,
  );
  if (Number(rows[0]?.number) >= OLDEST_VERSION * 10_000) return;
  throw new DatabaseError(
    'DATABASE_UNSUPPORTED_VERSION',
    `${name} has version ${rows[0]?.text}; ${OLDEST_VERSION} or later is needed.`,
  );
}

function toDatabaseError(error: unknown, name: string): DatabaseError {
  if (DatabaseError.is(error)) return error;
  // a host with several addresses fails with one error for each, and an empty message around them
  const { errors } = error as Partial<AggregateError>;
  const { message } = (errors?.[0] ?? error) as Error;
  return new DatabaseError('DATABASE_UNAVAILABLE', `Cannot use ${name}: ${message}`, { cause: error });
}
