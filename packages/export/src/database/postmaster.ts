import { spawn } from 'node:child_process';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { DatabaseError } from './database-error.ts';
import { isAlive, isPostmasterOf, readPostmasterPid } from './postmaster-pid.ts';
import type { ServerUser } from './server-user.ts';

const MAX_LOG_BYTES = 5 * 1024 ** 2;
const STOP_MS = 60_000;

/** For a small machine, on which the rest of the program wants its share. Nothing here trades durability for speed. */
const SETTINGS = {
  listen_addresses: '',
  unix_socket_permissions: '0700',
  max_connections: '50',
  shared_buffers: '32MB',
  max_wal_size: '256MB',
  // no I/O workers, no compiler: a few hundred thousand rows need neither
  io_method: 'sync',
  jit: 'off',
  fsync: 'on',
  synchronous_commit: 'on',
  full_page_writes: 'on',
};

export interface Postmaster {
  /** Whether the process has ended or never began. */
  ended(): boolean;
  /** What it wrote since it was started, the last lines. */
  lastWords(): Promise<string>;
  /** Asks it to end. */
  interrupt(): void;
}

/**
 * Starts the server, without waiting for it to be ready. It survives us: a session of its own, so that Ctrl-C in the
 * terminal reaches us alone and we shut down in order, and so that a killed program loses no running query of its successor.
 */
export async function startPostmaster(place: {
  readonly data: string;
  readonly programs: string;
  readonly sockets: string;
  readonly logFile: string;
  readonly user: ServerUser;
}): Promise<Postmaster> {
  const log = await open(place.logFile, 'a');
  try {
    // written by us as root now, by its owner another time
    if (place.user.owner) await log.chown(place.user.owner.uid, place.user.owner.gid);
    if ((await log.stat()).size > MAX_LOG_BYTES) await log.truncate();
    const start = (await log.stat()).size;
    const settings = Object.entries({ ...SETTINGS, unix_socket_directories: place.sockets });
    const { file, args, options } = place.user.command(join(place.programs, 'postgres'), [
      ...['-D', place.data],
      ...settings.flatMap(([name, value]) => ['-c', `${name}=${value}`]),
    ]);
    const child = spawn(file, args, { ...options, detached: true, stdio: ['ignore', log.fd, log.fd] });
    let failure: string | undefined;
    child.once('error', (error) => (failure = error.message));
    child.once('exit', (code, signal) => (failure ??= `It ended with ${signal ?? `exit code ${code}`}.`));
    child.unref();
    return {
      ended: () => failure !== undefined,
      lastWords: async () => (await tail(place.logFile, start)) || (failure ?? 'It has written nothing.'),
      interrupt: () => void child.kill('SIGINT'),
    };
  } finally {
    await log.close();
  }
}

/** Fast shutdown: rolls back what runs, writes all out. Resolves once the server is gone. */
export async function stopPostmaster(pid: number, data: string): Promise<void> {
  if (!(await isPostmasterOf(pid, data))) return;
  process.kill(pid, 'SIGINT');
  for (const giveUp = Date.now() + STOP_MS; Date.now() < giveUp; await sleep(20)) {
    // its last act is to remove its file. The process may stay as a zombie, where nobody reaps whom we have adopted
    if (!isAlive(pid) || (await readPostmasterPid(data))?.pid !== pid) return;
  }
  throw new DatabaseError(
    'DATABASE_UNAVAILABLE',
    `The PostgreSQL with pid ${pid} did not stop in ${STOP_MS / 1000} s.`,
  );
}

async function tail(path: string, start: number): Promise<string> {
  const log = await open(path, 'r');
  try {
    const { size } = await log.stat();
    const from = Math.max(start, size - 4096);
    const { buffer, bytesRead } = await log.read(Buffer.alloc(4096), 0, 4096, from);
    return buffer.toString('utf8', 0, bytesRead).trim().split('\n').slice(-12).join('\n');
  } finally {
    await log.close();
  }
}
