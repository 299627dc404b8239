import { createHash } from 'node:crypto';
import { lchown, lstat, mkdir, realpath, rmdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { ensureCluster, sweepUnfinishedClusters } from './cluster.ts';
import { DatabaseError } from './database-error.ts';
import { guardInstance, guardName } from './instance-guard.ts';
import { findPostgresPrograms } from './postgres-programs.ts';
import { isAlive, isPostmasterOf, readPostmasterPid, removeStalePid, SOCKET_NAME } from './postmaster-pid.ts';
import { type Postmaster, startPostmaster, stopPostmaster } from './postmaster.ts';
import { chooseServerUser, type Owner } from './server-user.ts';

/** Recovery after a power cut is included; measured 2026-11: 3 s at most. */
const START_MS = 120_000;
/** sun_path of macOS; Linux has four more. */
const MAX_SOCKET_PATH = 103;

export interface EmbeddedPostgresOptions {
  /** Gets `postgres/` (the data) and `postgres.log`. Created when absent. On a disk of this machine, never shared with another one. */
  readonly folder: string;
  readonly log?: (message: string) => void;
  /** Called at most once, when the server has stopped by itself or was stopped by somebody. */
  readonly onLost?: (error: DatabaseError) => void;
}

export interface EmbeddedPostgres {
  /** For clients on this machine that may enter the socket's folder: we, and root. */
  readonly url: string;
  stop(): Promise<void>;
}

interface Place {
  /** As the user wrote it, for messages. */
  readonly folder: string;
  readonly data: string;
  readonly sockets: string;
  readonly logFile: string;
  readonly log: (message: string) => void;
}

/**
 * Starts a private PostgreSQL on a folder, or adopts the one that a killed predecessor has left running there, and holds
 * the folder for this process until `stop`.
 *
 * @throws DatabaseError `DATABASE_IN_USE`, `DATABASE_UNAVAILABLE`, `DATABASE_UNSUPPORTED_PLATFORM`
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const place = await locate(options);
  const { client: guard, pid, sockets } = await reachServer(place);
  try {
    await guardInstance(guard, place.folder);
  } catch (error) {
    // whoever was first keeps the server, even where it was us who started it
    await guard.end();
    throw error;
  }
  let stopping: Promise<void> | undefined;
  guard.once('end', () => {
    if (stopping) return;
    const message = `The PostgreSQL in ${place.folder} has stopped. ${place.logFile} says why.`;
    options.onLost?.(new DatabaseError('DATABASE_UNAVAILABLE', message));
  });
  await sweepUnfinishedClusters(place.data);
  const stop = async () => {
    // the guard last: whoever waits for the folder must not adopt a server that is going down
    await stopPostmaster(pid, place.data);
    await guard.end();
    // not empty or not there: a successor is quicker than we
    await rmdir(sockets).catch(() => undefined);
  };
  return { url: urlOf(sockets), stop: () => (stopping ??= stop()) };
}

async function locate({ folder, log = () => undefined }: EmbeddedPostgresOptions): Promise<Place> {
  await mkdir(folder, { recursive: true });
  const parent = await realpath(folder);
  const data = await realpath(join(parent, 'postgres')).catch(() => join(parent, 'postgres'));
  const name = `paradoxon-${createHash('sha256').update(data).digest('hex').slice(0, 16)}`;
  const inTmp = join(await realpath(tmpdir()), name);
  const fits = Buffer.byteLength(join(inTmp, SOCKET_NAME)) <= MAX_SOCKET_PATH;
  return { folder, data, sockets: fits ? inTmp : join('/tmp', name), logFile: join(parent, 'postgres.log'), log };
}

interface Reached {
  readonly client: pg.Client;
  readonly pid: number;
  readonly sockets: string;
}

/**
 * Connects to the server of the data folder, and starts one when there is none. Others may do the same at the same time:
 * PostgreSQL lets one server win, and all come to that one; who may stay is the guard's question.
 */
async function reachServer(place: Place): Promise<Reached> {
  const { data, folder, log } = place;
  let started: Postmaster | undefined;
  for (const giveUp = Date.now() + START_MS; Date.now() < giveUp; await sleep(25)) {
    const noted = await readPostmasterPid(data);
    const running = noted !== undefined && (await isPostmasterOf(noted.pid, data)) ? noted : undefined;
    // a predecessor may have had another temp folder
    const sockets = running?.socketFolder ?? place.sockets;
    const client = await connect(urlOf(sockets), data);
    if (client !== undefined && running !== undefined) {
      if (started === undefined) log(`Uses the PostgreSQL (pid ${running.pid}) that was left running in ${folder}.`);
      return { client, pid: running.pid, sockets };
    }
    // It answers, but its file names somebody else. It checks that every minute, and stops: not to be doubled, nor killed.
    await client?.end();
    const comingOrGoing = running !== undefined || started?.ended() === false;
    if (client !== undefined || comingOrGoing) continue;

    const complaint = await started?.lastWords();
    if (complaint !== undefined && !isAboutAnother(complaint)) throw notStarted(place, complaint);
    if (noted !== undefined && isAlive(noted.pid)) {
      log(`The pid ${noted.pid} in ${data}/postmaster.pid is another program's by now: removes the file.`);
      await removeStalePid(data, noted);
    }
    started = await start(place);
  }
  started?.interrupt();
  throw notStarted(place, (await started?.lastWords()) ?? 'A server runs there already, but does not answer.');
}

/** The server that we started met another one, or the last of a killed or a stopping one: a matter of time. */
const isAboutAnother = (complaint: string): boolean =>
  /"postmaster\.pid"|pre-existing shared memory|\.s\.PGSQL\.5432\.lock"/.test(complaint);

const notStarted = ({ folder, logFile }: Place, complaint: string) =>
  new DatabaseError('DATABASE_UNAVAILABLE', `The PostgreSQL in ${folder} does not start (${logFile}):\n${complaint}`);

async function start(place: Place): Promise<Postmaster> {
  const programs = await findPostgresPrograms();
  const user = await chooseServerUser(place.data, programs, [dirname(place.sockets)]);
  await prepareSocketFolder(place.sockets, user.owner);
  await ensureCluster(place.data, programs, user);
  return startPostmaster({ ...place, programs, user });
}

/** Who may enter this folder is who may use the database. In a temp folder a stranger may have been here first. */
async function prepareSocketFolder(path: string, owner: Owner | undefined): Promise<void> {
  await mkdir(path, { mode: 0o700 }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error;
  });
  const found = await lstat(path);
  const trusted = found.uid === process.getuid?.() || found.uid === owner?.uid;
  if (!found.isDirectory() || !trusted || (found.mode & 0o077) !== 0) {
    throw new DatabaseError(
      'DATABASE_UNAVAILABLE',
      `${path} is not a private folder of ours. Look at it and remove it.`,
    );
  }
  if (owner) await lchown(path, owner.uid, owner.gid);
}

/** sslmode and port, because PGSSLMODE and PGPORT are meant for other servers. */
const urlOf = (sockets: string): string =>
  `postgresql://paradoxon@localhost:5432/postgres?host=${encodeURIComponent(sockets)}&sslmode=disable`;

/** @returns undefined when nobody answers, or not yet, or the server of another folder */
async function connect(url: string, data: string): Promise<pg.Client | undefined> {
  const client = new pg.Client({ connectionString: url, application_name: guardName, connectionTimeoutMillis: 5_000 });
  // without a listener it would end the process; what matters comes as a rejection or as 'end'
  client.on('error', () => undefined);
  try {
    await client.connect();
    const { rows } = await client.query<{ data_directory: string }>('show data_directory');
    if (rows[0]?.data_directory === data) return client;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EACCES') {
      throw new DatabaseError(
        'DATABASE_UNAVAILABLE',
        `The database of ${data} is run by another user. Run as that user.`,
        {
          cause: error,
        },
      );
    }
  }
  await client.end();
  return undefined;
}
