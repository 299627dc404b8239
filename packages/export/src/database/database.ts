import type { NodePgDatabase } from 'drizzle-orm/node-postgres';
import type pg from 'pg';
import { DatabaseError } from './database-error.ts';
import type * as schema from './schema.ts';

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
  /** Where the database can be reached, by clients of the same user on this machine when it is a private one. Secret: may hold a password. */
  readonly url: string;
  readonly pool: pg.Pool;
  readonly db: NodePgDatabase<typeof schema>;
  /** Closes the pool, then stops the private PostgreSQL. */
  close(): Promise<void>;
}

/**
 * Opens the database and brings its tables up to date.
 *
 * @throws DatabaseError `DATABASE_IN_USE`, `DATABASE_UNAVAILABLE`, `DATABASE_UNSUPPORTED_PLATFORM`,
 *   `DATABASE_UNSUPPORTED_VERSION`, `DATABASE_MISCONFIGURED`
 */
export function openDatabase(options: DatabaseOptions): Promise<Database> {
  return Promise.reject(new DatabaseError('DATABASE_MISCONFIGURED', `Being written: ${Object.keys(options).join()}.`));
}
