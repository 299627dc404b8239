import { execFile } from 'node:child_process';
import { appendFile, chmod, cp, mkdir, mkdtemp, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

const EMULATORS = fileURLToPath(new URL('..', import.meta.url));

// the real one takes a minute, and the other tests of this folder need what it has installed
const NPM = `#!/bin/sh
echo "$@" >> ../calls
test -e ../offline && { echo 'network down' >&2; exit 1; }
sleep 0.3
mkdir -p node_modules`;

describe('the installation of the servers', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'emulators-'));
    await cp(join(EMULATORS, 'src'), join(folder, 'src'), { recursive: true });
    await cp(join(EMULATORS, 'package.json'), join(folder, 'package.json'));
    await mkdir(join(folder, 'servers'));
    await writeFile(join(folder, 'servers', 'package-lock.json'), '{}');
    await mkdir(join(folder, 'bin'));
    await writeFile(join(folder, 'bin', 'npm'), NPM);
    await chmod(join(folder, 'bin', 'npm'), 0o755);
  });
  afterEach(() => rm(folder, { recursive: true }));

  /** Runs one file of the copy, or one line of code beside it, in a process of its own. @returns what it prints */
  async function run(...args: string[]): Promise<string> {
    const PATH = [join(folder, 'bin'), dirname(process.execPath), process.env['PATH']].join(delimiter);
    const options = { cwd: folder, env: { PATH } };
    return (await promisify(execFile)(process.execPath, ['--disable-warning=ExperimentalWarning', ...args], options))
      .stdout;
  }
  const install = () => run('src/install-servers.ts');
  const calls = () => readFile(join(folder, 'calls'), 'utf8');

  it('happens once, with the lockfile and without scripts, whoever asks at the same time', async () => {
    const printed = await Promise.all([install(), install(), install()]);
    const later = await install();

    expect(await calls()).toBe('ci --ignore-scripts --no-progress\n');
    expect([...printed, later].filter((line) => line.includes('takes about a minute'))).toHaveLength(1);
  });

  it('happens again for another lockfile', async () => {
    await install();
    await appendFile(join(folder, 'servers', 'package-lock.json'), '\n');

    await install();

    expect((await calls()).split('\n')).toHaveLength(3);
  });

  it('says what npm said when it fails, and is tried again the next time', async () => {
    await writeFile(join(folder, 'offline'), '');
    const failed = install();
    await expect(failed).rejects.toThrow('network down');
    await rm(join(folder, 'offline'));

    await install();

    expect((await calls()).split('\n')).toHaveLength(3);
  });

  it('does not wait for one that was killed in the middle', async () => {
    const lock = join(folder, 'servers', '.installing');
    await mkdir(lock);
    const aMinuteAgo = new Date(Date.now() - 60_000);
    await utimes(lock, aMinuteAgo, aMinuteAgo);

    await Promise.all([install(), install()]);

    expect(await calls()).toBe('ci --ignore-scripts --no-progress\n');
  });

  it('is what a server asks for when it is missing', async () => {
    const starting = run('--input-type=module', '--eval', "await (await import('./src/index.ts')).startFauxqs()");

    await expect(starting).rejects.toThrow('Run: npm run emulators');
  });
});
