import { execFile } from 'node:child_process';
import { access, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { DatabaseError } from './database-error.ts';
import { chooseServerUser, giveTo, NOBODY, type ServerUser } from './server-user.ts';

const run = promisify(execFile);

/** trust, because only who may enter the folder of the socket, 0700, can ask. C.UTF-8 is built in: no locale is needed. */
const INITDB = [
  '--username=paradoxon',
  '--auth=trust',
  '--encoding=UTF8',
  '--locale=C',
  '--locale-provider=builtin',
  '--builtin-locale=C.UTF-8',
  '--no-instructions',
];

const NAMELESS = /could not look up effective user/;
const initPrefix = (data: string) => `${basename(data)}.init-`;

/** Makes the PostgreSQL data folder, whole or not at all, unless it exists. Two processes at once are fine: one wins. */
export async function ensureCluster(data: string, programs: string, user: ServerUser): Promise<void> {
  if (await isCluster(data)) {
    if (user.owner) await giveTo(user.owner, data);
    return;
  }
  const init = await mkdtemp(join(dirname(data), initPrefix(data)));
  try {
    await initialise(init, programs, user);
    await rename(init, data);
  } catch (cause) {
    await rm(init, { recursive: true, force: true });
    if (await isCluster(data)) return;
    throw new DatabaseError('DATABASE_UNAVAILABLE', `Cannot make the database folder ${data}: ${reasonOf(cause)}`, {
      cause,
    });
  }
}

async function initialise(init: string, programs: string, user: ServerUser): Promise<void> {
  const initdb = async (as: ServerUser) => {
    if (as.owner) await giveTo(as.owner, init);
    const { file, args, options } = as.command(join(programs, 'initdb'), ['--pgdata', init, ...INITDB]);
    await run(file, args, options);
  };
  try {
    await initdb(user);
  } catch (error) {
    // Unlike the server, initdb wants its user to have a name, and in a container the owner of a mounted folder has none.
    if (user.owner === undefined || !NAMELESS.test(reasonOf(error))) throw error;
    await initdb(await chooseServerUser(init, programs, [], NOBODY));
    await giveTo(user.owner, init);
  }
}

/** Removes what killed first starts have left. Only for who holds the folder's guard. */
export async function sweepUnfinishedClusters(data: string): Promise<void> {
  for (const name of await readdir(dirname(data))) {
    if (name.startsWith(initPrefix(data))) await rm(join(dirname(data), name), { recursive: true, force: true });
  }
}

async function isCluster(data: string): Promise<boolean> {
  try {
    await access(join(data, 'PG_VERSION'));
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}

function reasonOf(error: unknown): string {
  const { code, message, stderr } = error as NodeJS.ErrnoException & { stderr?: string };
  if (code === 'ENOTEMPTY' || code === 'EEXIST') return 'it exists, and holds something else than a database.';
  const reason = stderr?.trim() || message;
  return NAMELESS.test(reason) ? `${reason}. Give it a name in /etc/passwd, or set DATABASE_URL.` : reason;
}
