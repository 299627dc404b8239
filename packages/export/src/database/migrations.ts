import { join } from 'node:path';
import { drizzle } from 'drizzle-orm/node-postgres';
import { migrate } from 'drizzle-orm/node-postgres/migrator';
import type pg from 'pg';

/** Any number will do, as long as every version of this package uses the same. */
const LOCK = 7_220_001;

/** As far away from src/database as from dist/database. */
const migrationsFolder = join(import.meta.dirname, '../../migrations');

/** Brings the tables up to date. drizzle's migrate has no lock of its own: of four starts at once, three failed. */
export async function migrateDatabase(pool: pg.Pool): Promise<void> {
  const client = await pool.connect();
  try {
    await client.query('select pg_advisory_lock($1)', [LOCK]);
    await migrate(drizzle(client), { migrationsFolder });
  } finally {
    // the connection is closed, not given back: that frees the lock even when the migration broke half way
    client.release(true);
  }
}
