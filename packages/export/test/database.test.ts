import { execFile } from 'node:child_process';
import { cp, mkdir, readdir, symlink } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type Database, openDatabase } from '../src/database/database.ts';
import { temporaryFolder, type TemporaryFolder } from './temporary-folder.ts';

const run = promisify(execFile);

let folder: TemporaryFolder;
let server: Database;

beforeAll(async () => {
  folder = await temporaryFolder();
  server = await openDatabase({ folder: folder.path });
}, 30_000);

afterAll(async () => {
  await server.close();
  await folder.remove();
});

/** The URL of a new and empty database on the same server. */
async function newDatabase(name: string): Promise<string> {
  await server.pool.query(`create database ${name}`);
  return server.url.replace('/postgres?', `/${name}?`);
}

describe('opening a database', () => {
  it('brings the tables up to date once when four start at once', async () => {
    const url = await newDatabase('four');

    const databases = await Promise.all(Array.from({ length: 4 }, () => openDatabase({ url })));

    const applied = await databases[0]?.pool.query('select hash from drizzle.__drizzle_migrations');
    expect(applied?.rows).toHaveLength((await readdir(join(import.meta.dirname, '../migrations/meta'))).length - 1);
    for (const database of databases) {
      expect((await database.pool.query('select * from copies')).rows).toEqual([]);
      await database.close();
    }
  });

  it('leaves no lock behind', async () => {
    const { rows } = await server.pool.query(`select objid from pg_locks where locktype = 'advisory'`);

    // the guard of the folder
    expect(rows).toEqual([{ objid: 77_001 }]);
  });

  it('names the server that cannot be reached, and not the password', async () => {
    const closed = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => closed.once('listening', resolve));
    const { port } = closed.address() as { port: number };
    await new Promise((resolve) => closed.close(resolve));

    const error = await rejectionOf(openDatabase({ url: `postgresql://me:s3cret@127.0.0.1:${port}/films` }));

    expect(error).toMatchObject({ code: 'DATABASE_UNAVAILABLE' });
    expect(error.message).toBe(
      `Cannot use the PostgreSQL at 127.0.0.1:${port}/films: connect ECONNREFUSED 127.0.0.1:${port}`,
    );
    expect(secretsIn(error)).toEqual([]);
  });

  it.each(['postgresql://me:s3cret@ho st/films', 'mysql://me:s3cret@host/films', 's3cret'])(
    'refuses the url %j without repeating it',
    async (url) => {
      const error = await rejectionOf(openDatabase({ url }));

      expect(error).toMatchObject({ code: 'DATABASE_MISCONFIGURED' });
      expect(secretsIn(error)).toEqual([]);
    },
  );

  it('wants a url or a folder, not both', async () => {
    await expect(openDatabase({})).rejects.toMatchObject({ code: 'DATABASE_MISCONFIGURED' });
    const both = openDatabase({ url: server.url, folder: folder.path });
    await expect(both).rejects.toMatchObject({ code: 'DATABASE_MISCONFIGURED' });
  });

  it('refuses a PostgreSQL that is too old, before it touches it', async () => {
    const url = await newDatabase('old');
    const old = await openDatabase({ url });
    await old.pool.query('drop schema drizzle cascade');
    // this server's answer is put in the place of an old one's
    await old.pool.query(`create function public.current_setting(text) returns text language sql
      as $$ select case $1 when 'server_version_num' then '130014' else '13.14' end $$`);
    await old.pool.query('alter database old set search_path = public, pg_catalog');
    await old.close();

    await expect(openDatabase({ url })).rejects.toMatchObject({
      code: 'DATABASE_UNSUPPORTED_VERSION',
      message: expect.stringContaining('has version 13.14; 14 or later is needed'),
    });
  });

  it('survives that its idle connections are cut, and says so', async () => {
    const log: string[] = [];
    const database = await openDatabase({ url: server.url, log: (message) => log.push(message) });
    const { rows } = await database.pool.query<{ pid: number }>('select pg_backend_pid() as pid');

    await server.pool.query('select pg_terminate_backend($1)', [rows[0]?.pid]);
    while (log.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));

    expect((await database.pool.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
    expect(log).toEqual([expect.stringContaining('A database connection broke')]);
    await database.close();
  });

  it('can be closed twice', async () => {
    const database = await openDatabase({ url: server.url });

    await Promise.all([database.close(), database.close()]);

    await expect(database.pool.query('select 1')).rejects.toThrow();
  });
});

it('has migrations that make exactly the tables of the schema', async () => {
  const copy = await temporaryFolder();
  const here = join(import.meta.dirname, '..');
  await mkdir(join(copy.path, 'src'));
  for (const name of ['drizzle.config.ts', 'package.json', 'migrations', 'src/database']) {
    await cp(join(here, name), join(copy.path, name), { recursive: true });
  }
  await symlink(join(here, '../../node_modules'), join(copy.path, 'node_modules'));

  const kit = join(here, '../../node_modules/drizzle-kit/bin.cjs');
  const { stdout } = await run(process.execPath, [kit, 'generate'], { cwd: copy.path });

  expect(stdout).toContain('No schema changes');
  await copy.remove();
}, 30_000);

async function rejectionOf(promise: Promise<unknown>): Promise<Error> {
  const error: unknown = await promise.then(
    () => new Error('It did not reject.'),
    (reason: unknown) => reason,
  );
  return error as Error;
}

/** Where in an error, its causes included, the password stands. */
function secretsIn(error: unknown): string[] {
  const all: string[] = [];
  for (let each = error as Error | undefined; each; each = each.cause as Error | undefined) {
    all.push(each.message, each.stack ?? '', JSON.stringify(each));
  }
  return all.filter((text) => text.includes('s3cret'));
}
