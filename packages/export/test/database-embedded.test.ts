import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmod, chown, cp, mkdir, readdir, readFile, rm, stat, symlink, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { ensureCluster } from '../src/database/cluster.ts';
import { type Database, openDatabase } from '../src/database/database.ts';
import { findPostgresPrograms } from '../src/database/postgres-programs.ts';
import { isAlive, isPostmasterOf, readPostmasterPid, removeStalePid } from '../src/database/postmaster-pid.ts';
import { startPostmaster, stopPostmaster } from '../src/database/postmaster.ts';
import { chooseServerUser } from '../src/database/server-user.ts';
import { DatabaseProcess } from './database-child.ts';
import { socketFolderOf, temporaryFolder, type TemporaryFolder } from './temporary-folder.ts';

jest.setTimeout(30_000);

const isRoot = process.getuid?.() === 0;
if (!isRoot) console.warn('SKIPPED: tests of a server that is started by root. Missing: the rights of root.');
const itAsRoot = isRoot ? it : it.skip;
const itOnLinuxAsRoot = isRoot && process.platform === 'linux' ? it : it.skip;

/** Has a database that was closed in order, except where a test begins with a fresh one. */
let folder: TemporaryFolder;
let initialised: TemporaryFolder;
/** Of servers that a test has seen; none may be left. */
const seen = new Set<number>();

const dataOf = (place: TemporaryFolder) => join(place.path, 'postgres');

async function serverPid(place = folder): Promise<number> {
  const pid = (await readPostmasterPid(dataOf(place)))?.pid ?? 0;
  seen.add(pid);
  return pid;
}

/** Opens the folder here for a moment. */
async function using<T>(work: (database: Database, log: readonly string[]) => Promise<T>): Promise<T> {
  const log: string[] = [];
  const database = await openDatabase({ folder: folder.path, log: (message) => log.push(message) });
  try {
    await serverPid();
    return await work(database, log);
  } finally {
    await database.close();
  }
}

const freshFolder = async () => (folder = await temporaryFolder());

const insertFilm = ({ pool }: Database, id: string) =>
  pool.query(`insert into films (id, title, strategy, storages) values ($1, 'A film', 'direct', '{}')`, [id]);
const filmIds = async ({ pool }: Database) =>
  (await pool.query<{ id: string }>('select id from films')).rows.map((row) => row.id);

beforeAll(async () => {
  initialised = await freshFolder();
  await using(() => Promise.resolve());
});

beforeEach(() => {
  folder = initialised;
});

afterEach(async () => {
  await stopPostmaster(await serverPid(), dataOf(folder));
  if (folder !== initialised) await folder.remove();
});

afterAll(async () => {
  await initialised.remove();
  // a stopped postmaster takes a moment to be gone from the list of processes
  const alive = () => [...seen].filter((pid) => pid > 0 && isAlive(pid));
  for (let tries = 0; tries < 100 && alive().length > 0; tries += 1) await setTimeout(50);
  expect(alive()).toEqual([]);
});

describe('a private PostgreSQL', () => {
  it('keeps what was committed from one start to the next, listens to no network, and is gone after close', async () => {
    const pid = await using(async (database) => {
      await insertFilm(database, 'kept');
      const { rows } = await database.pool.query(`select current_setting('listen_addresses') as addresses,
        current_setting('fsync') as fsync, current_setting('synchronous_commit') as commit`);
      expect(rows).toEqual([{ addresses: '', fsync: 'on', commit: 'on' }]);
      return serverPid();
    });

    expect(await isPostmasterOf(pid, dataOf(folder))).toBe(false);
    await expect(stat(socketFolderOf(folder.path))).rejects.toMatchObject({ code: 'ENOENT' });
    await using(async (database) => {
      expect(await filmIds(database)).toContain('kept');
    });
  });

  it('lets nobody else in: its folders are private', async () => {
    await using(async () => {
      for (const path of [dataOf(folder), socketFolderOf(folder.path)]) {
        expect((await stat(path)).mode & 0o077).toBe(0);
      }
    });
  });

  it('is adopted by the next start after kill -9', async () => {
    const killed = new DatabaseProcess(folder.path);
    await killed.says('open');
    const pid = await serverPid();
    await killed.end('SIGKILL');
    expect(isAlive(pid)).toBe(true);

    await using(async (database, log) => {
      expect(await serverPid()).toBe(pid);
      expect(log).toContainEqual(expect.stringContaining(`pid ${pid}`));
      await insertFilm(database, 'adopted');
    });

    expect(await isPostmasterOf(pid, dataOf(folder))).toBe(false);
  });

  it('is adopted also when the temp folder is another one by now', async () => {
    const temp = await temporaryFolder();
    await chmod(temp.path, 0o777);
    const killed = new DatabaseProcess(folder.path, { env: { ...process.env, TMPDIR: temp.path } });
    await killed.says('open');
    const pid = await serverPid();
    await killed.end('SIGKILL');

    await using(async () => {
      expect(await serverPid()).toBe(pid);
    });

    await temp.remove();
  });

  it('starts again when it was killed together with its program', async () => {
    const killed = new DatabaseProcess(folder.path);
    await killed.says('open');
    process.kill(await serverPid(), 'SIGKILL');
    await killed.says('lost: ');
    await killed.end('SIGKILL');

    await using(async ({ pool }) => {
      expect((await pool.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
    });
  });

  it('tells its program once when it dies, and the program lives on', async () => {
    const program = new DatabaseProcess(folder.path);
    await program.says('open');

    process.kill(await serverPid(), 'SIGQUIT');

    expect(await program.says('lost: ')).toContain(`The PostgreSQL in ${folder.path} has stopped.`);
    expect(isAlive(program.pid)).toBe(true);
    expect(program.lines.filter((line) => line.startsWith('lost: '))).toHaveLength(1);
    await program.end('SIGKILL');
  });

  it.each([
    { signal: 'SIGTERM', target: 'process' },
    { signal: 'SIGINT', target: 'group' },
  ] as const)(
    'lives until the work is done after $signal to the $target, then stops in order',
    async ({ signal, target }) => {
      const program = new DatabaseProcess(folder.path, { detached: true });
      await program.says('open');
      const pid = await serverPid();

      const code = await program.end(signal, target);

      expect(program.lines).toEqual(['open', 'finished', 'closed']);
      expect(code).toBe(0);
      expect(await isPostmasterOf(pid, dataOf(folder))).toBe(false);
      expect(await readFile(join(folder.path, 'postgres.log'), 'utf8')).toMatch(/database system is shut down\n$/);
    },
  );

  it('serves one process: a second one is told who is first and what to do, and disturbs nothing', async () => {
    const first = new DatabaseProcess(folder.path);
    await first.says('open');
    const pid = await serverPid();

    const second = new DatabaseProcess(folder.path);
    const here = openDatabase({ folder: folder.path });

    const sentence =
      `Another paradoxon process (pid ${first.pid}) already uses ${folder.path}. ` +
      'Stop it, or set DATABASE_URL to share one PostgreSQL.';
    await expect(here).rejects.toMatchObject({ code: 'DATABASE_IN_USE', message: sentence });
    expect(await second.says('refused: ')).toBe(`refused: ${sentence}`);
    expect(await second.ended()).toBe(1);
    expect(await serverPid()).toBe(pid);
    await first.end('SIGTERM');
    expect(first.lines).toEqual(['open', 'finished', 'closed']);
  });

  it('is started by exactly one of three that begin at once in an empty folder', async () => {
    await freshFolder();
    const programs = Array.from({ length: 3 }, () => new DatabaseProcess(folder.path));

    const first = await Promise.any(programs.map((each) => each.says('open').then(() => each)));
    const others = programs.filter((each) => each !== first);

    for (const other of others) {
      expect(await other.says('refused: ')).toContain(`Another paradoxon process (pid ${first.pid})`);
      await other.ended();
    }
    await serverPid();
    expect(await first.end('SIGTERM')).toBe(0);
    expect((await readdir(folder.path)).sort()).toEqual(['postgres', 'postgres.log']);
  });

  it('says in the error why it does not start, and names its log', async () => {
    await writeFile(join(dataOf(folder), 'PG_VERSION'), '17\n');

    const opening = openDatabase({ folder: folder.path });

    await expect(opening).rejects.toMatchObject({
      code: 'DATABASE_UNAVAILABLE',
      message: expect.stringMatching(/postgres\.log.*initialized by PostgreSQL version 17/s),
    });
    await writeFile(join(dataOf(folder), 'PG_VERSION'), '18\n');
  });

  it('touches nothing in a folder that holds something else', async () => {
    await freshFolder();
    await mkdir(dataOf(folder));
    await writeFile(join(dataOf(folder), 'diary.txt'), 'dear diary');

    await expect(openDatabase({ folder: folder.path })).rejects.toMatchObject({
      code: 'DATABASE_UNAVAILABLE',
      message: expect.stringContaining('holds something else than a database'),
    });

    expect(await readdir(dataOf(folder))).toEqual(['diary.txt']);
    expect(await readdir(folder.path)).toEqual(['postgres']);
  });

  it('removes what first starts that were killed have left', async () => {
    await mkdir(join(folder.path, 'postgres.init-abc/base'), { recursive: true });

    await using(() => Promise.resolve());

    expect((await readdir(folder.path)).sort()).toEqual(['postgres', 'postgres.log']);
  });

  it('keeps its log bounded', async () => {
    await writeFile(join(folder.path, 'postgres.log'), '');
    await truncate(join(folder.path, 'postgres.log'), 6 * 1024 ** 2);

    await using(() => Promise.resolve());

    expect((await stat(join(folder.path, 'postgres.log'))).size).toBeLessThan(10_000);
  });

  it('refuses a socket folder that anybody may enter', async () => {
    await freshFolder();
    await mkdir(socketFolderOf(folder.path));
    await chmod(socketFolderOf(folder.path), 0o777);

    await expect(openDatabase({ folder: folder.path })).rejects.toMatchObject({
      message: expect.stringContaining('is not a private folder of ours'),
    });
  });

  it.each([
    { platform: 'linux-s390x', why: 'There is no embedded PostgreSQL for linux-s390x' },
    { platform: 'win32-x64', why: 'does not run on Windows yet' },
  ])('says on $platform that there is none and what to do instead', async ({ platform, why }) => {
    const finding = findPostgresPrograms(platform);

    await expect(finding).rejects.toMatchObject({
      code: 'DATABASE_UNSUPPORTED_PLATFORM',
      message: expect.stringMatching(new RegExp(`${why}.*DATABASE_URL`)),
    });
  });
});

describe('a postmaster.pid that outlived its server', () => {
  let stranger: ChildProcess;

  beforeEach(async () => {
    // of the server's user: PostgreSQL sees by itself that another user's process is a stranger
    stranger = spawn('sleep', ['60'], { stdio: 'ignore', ...(isRoot ? { uid: 65_534 } : {}) });
    await once(stranger, 'spawn');
  });

  afterEach(() => {
    stranger.kill('SIGKILL');
  });

  it('is removed when its number is a stranger by now, and the stranger lives', async () => {
    const lines = [stranger.pid, dataOf(folder), '1700000000', '5432', socketFolderOf(folder.path), '', '', 'ready'];
    await writeFile(join(dataOf(folder), 'postmaster.pid'), `${lines.join('\n')}\n`);

    await using(async ({ pool }, log) => {
      expect((await pool.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
      expect(log).toContainEqual(expect.stringContaining(`pid ${stranger.pid}`));
    });

    expect(isAlive(stranger.pid ?? 0)).toBe(true);
  });

  it('never makes the server of another folder ours', async () => {
    const other = await temporaryFolder();
    const theirs = await openDatabase({ folder: other.path });
    const pid = await serverPid(other);
    await cp(join(dataOf(other), 'postmaster.pid'), join(dataOf(folder), 'postmaster.pid'));

    await using(async () => {
      expect(await serverPid()).not.toBe(pid);
    });

    await symlink(socketFolderOf(other.path), socketFolderOf(folder.path));
    await expect(openDatabase({ folder: folder.path })).rejects.toMatchObject({ code: 'DATABASE_UNAVAILABLE' });
    await rm(socketFolderOf(folder.path));

    expect((await theirs.pool.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
    await theirs.close();
    await other.remove();
  });

  it('stays when it is no longer the one that was looked at', async () => {
    await freshFolder();
    await writeFile(join(folder.path, 'postmaster.pid'), '4242\n');

    await removeStalePid(folder.path, { pid: 4241, socketFolder: undefined });
    expect(await readdir(folder.path)).toEqual(['postmaster.pid']);

    await writeFile(join(folder.path, '.s.PGSQL.5432.lock'), '4242\n');
    await removeStalePid(folder.path, { pid: 4242, socketFolder: folder.path });
    expect(await readdir(folder.path)).toEqual([]);
  });
});

describe('a private PostgreSQL started by root', () => {
  const statusOf = async (pid: number) => {
    const text = await readFile(`/proc/${pid}/status`, 'utf8');
    const field = (name: string) => new RegExp(`^${name}:\\s+(\\S+)`, 'm').exec(text)?.[1];
    return { uid: field('Uid'), effective: field('CapEff') };
  };
  const NOTHING = '0000000000000000';
  const DAC_OVERRIDE = '0000000000000002';

  itOnLinuxAsRoot('runs as nobody, with no privilege, where nobody can get', async () => {
    await chmod(folder.path, 0o755);

    await using(async () => {
      expect(await statusOf(await serverPid())).toEqual({ uid: '65534', effective: NOTHING });
    });
  });

  itOnLinuxAsRoot('runs as nobody, able to pass, below a folder that is closed to others', async () => {
    await chmod(folder.path, 0o700);

    await using(async (database) => {
      expect(await statusOf(await serverPid())).toEqual({ uid: '65534', effective: DAC_OVERRIDE });
      await insertFilm(database, 'behind a closed door');
    });
  });

  itOnLinuxAsRoot('runs as the owner of the folder', async () => {
    await freshFolder();
    await chmod(folder.path, 0o700);
    await chown(folder.path, 12_345, 12_345);

    await using(async () => {
      expect(await statusOf(await serverPid())).toEqual({ uid: '12345', effective: NOTHING });
    });

    expect(await stat(join(folder.path, 'postgres.log'))).toMatchObject({ uid: 12_345 });
  });

  itAsRoot('gets back the data that were given to root, by a restored backup say', async () => {
    await chmod(folder.path, 0o755);
    await using((database) => insertFilm(database, 'restored'));
    spawnSync('chown', ['-R', '0:0', dataOf(folder)]);

    await using(async (database) => {
      expect(await filmIds(database)).toContain('restored');
    });
  });

  itOnLinuxAsRoot('runs programs that are installed below a folder that is closed to others', async () => {
    await freshFolder();
    const closed = join(folder.path, 'closed');
    const programs = join(closed, 'native/bin');
    await mkdir(closed);
    // hard links: 60 MB
    expect(spawnSync('cp', ['-al', join(await findPostgresPrograms(), '..'), closed]).status).toBe(0);
    await chmod(folder.path, 0o755);
    await chmod(closed, 0o700);
    const sockets = socketFolderOf(folder.path);
    await mkdir(sockets, { mode: 0o777 });
    await chmod(sockets, 0o777);

    const user = await chooseServerUser(dataOf(folder), programs, []);
    await ensureCluster(dataOf(folder), programs, user);
    const logFile = join(folder.path, 'postgres.log');
    const server = await startPostmaster({ data: dataOf(folder), programs, sockets, logFile, user });

    while (!server.ended() && !(await server.lastWords()).includes('ready to accept connections')) {
      await setTimeout(20);
    }
    expect(await server.lastWords()).toContain('ready to accept connections');
    expect(await statusOf(await serverPid())).toEqual({ uid: '65534', effective: DAC_OVERRIDE });
  });

  itAsRoot('says which folder is in the way when it cannot pass', async () => {
    await chmod(folder.path, 0o700);

    const choosing = chooseServerUser(dataOf(folder), folder.path, []);

    await expect(choosing).rejects.toMatchObject({
      code: 'DATABASE_UNAVAILABLE',
      message: expect.stringMatching(`cannot enter ${folder.path}.*setpriv.*DATA_DIR`),
    });
  });

  const script = join(import.meta.dirname, 'database-process.ts');
  const asUser = (uid: number) => ({ uid, gid: uid, cwd: '/' });
  const usersCanRun = isRoot && spawnSync(process.execPath, ['--check', script], asUser(65_534)).status === 0;
  if (isRoot && !usersCanRun)
    console.warn('SKIPPED: tests as an ordinary user. Missing: a checkout that others may enter.');

  (usersCanRun ? it : it.skip)('needs none of this when its program is an ordinary user', async () => {
    await freshFolder();
    await chown(folder.path, 65_534, 65_534);
    const program = new DatabaseProcess(folder.path, asUser(65_534));
    await program.says('open');

    expect(await statusOf(await serverPid())).toEqual({ uid: '65534', effective: NOTHING });

    expect(await program.end('SIGTERM')).toBe(0);
  });

  (usersCanRun ? it : it.skip)('says what to do when its program is a user without a name', async () => {
    await freshFolder();
    await chown(folder.path, 12_345, 12_345);

    const program = new DatabaseProcess(folder.path, asUser(12_345));

    expect(await program.says('refused: ')).toMatch(/user ID 12345.*\/etc\/passwd.*DATABASE_URL/);
    await program.ended();
  });
});
