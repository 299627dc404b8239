import { execFile } from 'node:child_process';
import { chown, lchown, lstat, readdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { DatabaseError } from './database-error.ts';

const run = promisify(execFile);

/** nobody, on every Linux. */
export const NOBODY: Owner = { uid: 65534, gid: 65534 };

/**
 * From root to an ordinary user that may still pass folders which only root may enter: a checkout under /root, a data folder
 * below a private one. PostgreSQL refuses uid 0, not capabilities. dac_override is in Docker's default set, the narrower
 * dac_read_search is not. no_setuid_fixup, because access(2), which PostgreSQL asks about its own program, drops the
 * capabilities of an ordinary user otherwise.
 */
const PASS_EVERYWHERE = [
  '--clear-groups',
  '--inh-caps=+dac_override',
  '--ambient-caps=+dac_override',
  '--securebits=+no_setuid_fixup',
];

/** Who runs the PostgreSQL programs. */
export interface ServerUser {
  /** Whose the data must be; undefined: ours anyway. */
  readonly owner?: Owner;
  /** How to call a program as this user, for child_process. */
  command(file: string, args: readonly string[]): Command;
}

export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

export interface Command {
  readonly file: string;
  readonly args: readonly string[];
  readonly options: {
    readonly cwd: string;
    readonly env: NodeJS.ProcessEnv;
    readonly uid?: number;
    readonly gid?: number;
  };
}

/** Nothing of the caller's environment: a PGPORT or PGOPTIONS that is meant for another server would change this one. */
const OPTIONS = { cwd: '/', env: { PATH: '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' } };

/**
 * Ourselves; but when that is root, which PostgreSQL refuses, the owner of the data, and when that is root too, nobody.
 *
 * @param data where the data is or will be
 * @param programs the folder of what has to be executed
 * @param others further folders that have to be entered; all of them real paths
 * @param wanted who it shall be, when we are root
 * @throws DatabaseError `DATABASE_UNAVAILABLE` when that user cannot get there
 */
export async function chooseServerUser(
  data: string,
  programs: string,
  others: readonly string[],
  wanted?: Owner,
): Promise<ServerUser> {
  if (process.getuid?.() !== 0) return { command: (file, args) => ({ file, args, options: OPTIONS }) };
  const owner = wanted ?? (await ownerOf(data));
  const closed = await closedFolder([dirname(data), programs, ...others], owner);
  if (closed === undefined) {
    return { owner, command: (file, args) => ({ file, args, options: { ...OPTIONS, ...owner } }) };
  }
  const user: ServerUser = {
    owner,
    command: (file, args) => ({
      file: 'setpriv',
      args: [`--reuid=${owner.uid}`, `--regid=${owner.gid}`, ...PASS_EVERYWHERE, file, ...args],
      options: OPTIONS,
    }),
  };
  const trial = user.command(join(programs, 'postgres'), ['--version']);
  await run(trial.file, trial.args, trial.options).catch((cause: unknown) => {
    throw new DatabaseError(
      'DATABASE_UNAVAILABLE',
      `PostgreSQL does not run as root, and uid ${owner.uid}, which runs it, cannot enter ${closed}. Install setpriv ` +
        '(util-linux), run as an ordinary user, or set DATA_DIR to a folder (and install the program in one) that others can enter.',
      { cause },
    );
  });
  return user;
}

/** Gives a folder and all in it to the user that runs PostgreSQL. */
export async function giveTo(owner: Owner, folder: string): Promise<void> {
  const { uid } = await stat(folder);
  if (uid === owner.uid) return;
  for (const name of await readdir(folder, { recursive: true })) await lchown(join(folder, name), owner.uid, owner.gid);
  // last: an interrupted walk is done again
  await chown(folder, owner.uid, owner.gid);
}

async function ownerOf(data: string): Promise<Owner> {
  for (const path of [data, dirname(data)]) {
    const { uid, gid } = await lstat(path).catch(() => ({ uid: 0, gid: 0 }));
    if (uid !== 0) return { uid, gid };
  }
  return NOBODY;
}

/** The first of all folders on the way to `paths` that the user cannot enter. Access lists are not read. */
async function closedFolder(paths: readonly string[], { uid, gid }: Owner): Promise<string | undefined> {
  for (const folder of new Set(paths.flatMap(withParents))) {
    const { mode, ...its } = await stat(folder);
    const enter = its.uid === uid ? 0o100 : its.gid === gid ? 0o010 : 0o001;
    if ((mode & enter) === 0) return folder;
  }
  return undefined;
}

const withParents = (path: string): string[] =>
  path === dirname(path) ? [path] : [...withParents(dirname(path)), path];
