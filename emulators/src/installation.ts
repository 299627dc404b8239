import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { watchChild } from './child.ts';
import { withLock } from './folder-lock.ts';

const FOLDER = new URL('../servers/', import.meta.url);
/** Inside node_modules: whatever removes or rebuilds them removes it as well. */
const STAMP = new URL('node_modules/.installed-for', FOLDER);

/** The address of one file of an npm server, for `import()`. Their `exports` do not count: we need their insides. */
export const serverModule = (path: string): string => new URL(`node_modules/${path}`, FOLDER).href;

/** @throws Error when the npm servers are not installed, or are others than the lockfile names */
export async function requireServers(): Promise<void> {
  if (await areInstalled()) return;
  throw new Error('The storage servers for the tests are not installed. Run: npm run emulators');
}

/**
 * Installs the npm servers (fauxqs, Azurite, firebase-tools: 520 MB) unless exactly those of the lockfile are there.
 * Any number of processes may call it at once: one installs, the others wait for it.
 */
export async function ensureServers(): Promise<void> {
  if (await areInstalled()) return;
  await withLock(fileURLToPath(new URL('.installing', FOLDER)), async () => {
    if (await areInstalled()) return;
    console.log('Installing the storage servers for tests and demo (520 MB). This takes about a minute, once.');
    const lockfile = await lockfileHash();
    await install();
    await writeFile(STAMP, lockfile);
  });
}

async function areInstalled(): Promise<boolean> {
  const stamp = await readFile(STAMP, 'utf8').catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  });
  return stamp === (await lockfileHash());
}

async function lockfileHash(): Promise<string> {
  const lockfile = await readFile(new URL('package-lock.json', FOLDER));
  return createHash('sha256').update(lockfile).digest('hex');
}

async function install(): Promise<void> {
  // started by `npm run -w …`, npm would look for that workspace here, too
  const own = Object.entries(process.env).filter(
    ([name]) => !/^npm_(config_(workspace|local_prefix)|package)/.test(name),
  );
  const child = watchChild(
    spawn('npm', ['ci', '--ignore-scripts', '--no-progress'], {
      cwd: FOLDER,
      env: { ...Object.fromEntries(own), NODE_OPTIONS: '' },
      stdio: ['ignore', 'pipe', 'pipe'],
    }),
  );
  await child.ended;
  if (child.fate() !== 'It ended with exit code 0.') {
    throw new Error(`The storage servers could not be installed. ${child.fate()} npm printed:\n${child.lastWords()}`);
  }
}
