import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import { DatabaseError } from './database-error.ts';
import { isAlive } from './postmaster-pid.ts';

/** Any number will do; nothing else in this private PostgreSQL uses it. */
const LOCK = 77_001;
const NAME = /^paradoxon guard (\d+)$/;

/** The name under which a guarding connection shows in pg_stat_activity, so that who is refused can say who was first. */
export const guardName = `paradoxon guard ${process.pid}`;

/**
 * Makes this process the only one on the folder. The lock belongs to the connection: however we die, the server frees it.
 *
 * @param client connected under {@link guardName}, and used for nothing else from now on
 * @throws DatabaseError `DATABASE_IN_USE`
 */
export async function guardInstance(client: pg.Client, folder: string): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    const locked = await client.query<{ ok: boolean }>('select pg_try_advisory_lock($1) as ok', [LOCK]);
    if (locked.rows[0]?.ok) return;
    const holder = await holderPid(client);
    // one that was just killed: the server is about to notice
    const dying = holder === undefined || !isAlive(holder);
    if (!dying || attempt === 100) throw inUse(folder, holder);
    await sleep(50);
  }
}

const inUse = (folder: string, pid: number | undefined) =>
  new DatabaseError(
    'DATABASE_IN_USE',
    `Another paradoxon process${pid === undefined ? '' : ` (pid ${pid})`} already uses ${folder}. ` +
      'Stop it, or set DATABASE_URL to share one PostgreSQL.',
  );

async function holderPid(client: pg.Client): Promise<number | undefined> {
  const { rows } = await client.query<{ name: string }>(
    `select a.application_name as name from pg_locks l join pg_stat_activity a using (pid)
     where l.locktype = 'advisory' and l.granted and l.classid = 0 and l.objid = $1`,
    [LOCK],
  );
  const pid = NAME.exec(rows[0]?.name ?? '')?.[1];
  return pid === undefined ? undefined : Number(pid);
}
