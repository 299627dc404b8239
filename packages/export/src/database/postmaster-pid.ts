import { execFile } from 'node:child_process';
import { link, readFile, readlink, rename, unlink } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
export const SOCKET_NAME = '.s.PGSQL.5432';

/** What postmaster.pid says. It outlives a crash, so it is a hint, not a fact: its number may be a stranger's by now. */
export interface PostmasterPid {
  readonly pid: number;
  /** Where its socket is. */
  readonly socketFolder: string | undefined;
}

/** @param data the PostgreSQL data folder, real path */
export async function readPostmasterPid(data: string): Promise<PostmasterPid | undefined> {
  const lines = await linesOf(join(data, 'postmaster.pid'));
  const pid = Number(lines?.[0]);
  if (!Number.isInteger(pid) || pid <= 0) return undefined;
  // the lines: pid, data folder, start time, port, socket folder, listen address, shared memory, state
  return { pid, socketFolder: lines?.[4] || undefined };
}

/** Whether a process is the PostgreSQL server of this data folder, told by what it executes and where it works. */
export async function isPostmasterOf(pid: number, data: string): Promise<boolean> {
  if (!isAlive(pid)) return false;
  if (process.platform !== 'linux') {
    const { stdout } = await run('ps', ['-o', 'command=', '-p', String(pid)]).catch(() => ({ stdout: '' }));
    return stdout.includes('postgres') && stdout.includes(data);
  }
  const argv = (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).split('\0');
  if (basename(argv[0] ?? '') !== 'postgres') return false;
  // the working folder knows of a renamed data folder, but in a container root may not read it of another user's process
  const cwd = await readlink(`/proc/${pid}/cwd`).catch(() => undefined);
  return cwd === undefined ? argv.includes(data) : cwd === data;
}

/**
 * Removes a postmaster.pid whose process is not ours, and the lock of its socket, which names the same. PostgreSQL itself only asks whether the number is alive, and would
 * refuse to start for as long as the stranger lives, which in a container, where numbers are small, may be always.
 */
export async function removeStalePid(data: string, stale: PostmasterPid): Promise<void> {
  // the lock first: without the pid file nobody would know any more that it is stale
  if (stale.socketFolder !== undefined) await removeIfOf(stale.pid, join(stale.socketFolder, `${SOCKET_NAME}.lock`));
  await removeIfOf(stale.pid, join(data, 'postmaster.pid'));
}

/** @param path a file whose first line is a pid */
async function removeIfOf(pid: number, path: string): Promise<void> {
  const aside = `${path}.stale-${process.pid}`;
  try {
    await rename(path, aside);
  } catch (error) {
    // another process was quicker
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  const moved = Number((await linesOf(aside))?.[0]);
  // between our reading and our renaming, somebody may have started a server: that one's file goes back
  if (moved !== pid) await link(aside, path);
  await unlink(aside);
}

export function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

async function linesOf(path: string): Promise<string[] | undefined> {
  try {
    return (await readFile(path, 'utf8')).split('\n');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
