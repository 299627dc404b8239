import { execFile, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { cephConf } from './ceph-conf.ts';
import { type Child, watchChild } from './child.ts';
import { dataFolder } from './data-folder.ts';
import { freePort, isPortTaken } from './free-port.ts';

const PORT_ATTEMPTS = 5;
const COMMAND_MS = 60_000;

/** What is behind the gateway: one monitor, and one OSD that keeps all objects in memory. */
export interface CephCluster {
  /** Starts one more of its daemons. It dies with this process, whatever that one dies of. */
  readonly daemon: (program: string, args: readonly string[]) => Child;
  /** Runs one of Ceph's programs to its end. @throws Error with what it printed, and what the daemons did */
  readonly command: (program: string, args: readonly string[]) => Promise<void>;
  /** Ends it, with all it holds. */
  readonly discard: () => Promise<void>;
}

/** Starts a cluster. Any number may run side by side: each has its folder, its id, its ports. */
export async function startCluster(): Promise<CephCluster> {
  for (let attempt = 1; ; attempt++) {
    const cluster = await prepare();
    try {
      await cluster.begin();
      return cluster;
    } catch (error) {
      await cluster.discard();
      if (!isPortTaken(error) || attempt === PORT_ATTEMPTS) throw error;
    }
  }
}

async function prepare(): Promise<CephCluster & { begin(): Promise<void> }> {
  const folder = await dataFolder('ceph');
  const conf = join(folder.path, 'ceph.conf');
  const daemons = new Map<string, Child>();
  // nothing of ours: CEPH_ARGS would change what is started. A group of its own: Ctrl-C in the terminal is for us
  const surroundings = { cwd: folder.path, env: { PATH: process.env['PATH'] }, detached: true };
  // they know no way to watch their parent: the kernel does
  const tied = (program: string, args: readonly string[]) => ['--pdeathsig', 'KILL', program, '-c', conf, ...args];

  function daemon(program: string, args: readonly string[]): Child {
    const child = watchChild(
      spawn('setpriv', tied(program, ['-f', ...args]), { ...surroundings, stdio: ['ignore', 'pipe', 'pipe'] }),
    );
    child.release();
    daemons.set(program, child);
    return child;
  }

  async function command(program: string, args: readonly string[]): Promise<void> {
    // each of them waits for the daemons, for ever when one has died
    const vain = new AbortController();
    for (const child of daemons.values()) void child.ended.then(() => vain.abort());
    await promisify(execFile)('setpriv', tied(program, args), {
      ...surroundings,
      timeout: COMMAND_MS,
      signal: vain.signal,
    }).catch((cause: Error) => {
      const fates = [...daemons].map(([name, child]) => `${name}: ${child.fate() ?? 'It runs.'} ${child.lastWords()}`);
      throw new Error([`Ceph did not start. ${program}: ${cause.message}`, ...fates].join('\n'), { cause });
    });
  }

  return {
    daemon,
    command,
    async begin() {
      const [clusterId, port] = [randomUUID(), await freePort()];
      await writeFile(conf, cephConf(folder.path, clusterId, port));
      for (const name of ['mon', 'osd', 'rgw']) await mkdir(join(folder.path, name));
      const [monitors, osds] = [join(folder.path, 'monmap'), join(folder.path, 'osdmap')];
      await command('monmaptool', ['--create', '--fsid', clusterId, '--addv', 'a', `[v2:127.0.0.1:${port}]`, monitors]);
      // an OSD that the monitor knows from the beginning need not be registered by the slow `ceph` program
      await command('osdmaptool', ['--createsimple', '1', osds]);
      await command('ceph-mon', ['-i', 'a', '--mkfs', '--monmap', monitors, '--osdmap', osds]);
      daemon('ceph-mon', ['-i', 'a']);
      await command('ceph-osd', ['-i', '0', '--mkfs']);
      daemon('ceph-osd', ['-i', '0']);
    },
    async discard() {
      await Promise.all([...daemons.values()].map((child) => child.kill()));
      await folder.discard();
    },
  };
}
