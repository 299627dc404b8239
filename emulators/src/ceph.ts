import { setTimeout as sleep } from 'node:timers/promises';
import { type CephCluster, startCluster } from './ceph-cluster.ts';
import { missingCeph } from './ceph-programs.ts';
import { startEmulator } from './emulator.ts';
import type { S3Emulator } from './fauxqs.ts';
import { freePort, isPortTaken } from './free-port.ts';
import type { Run } from './run.ts';

export interface CephOptions {
  /** Default 0: a free one. */
  readonly port?: number;
}

export interface CephEmulator extends S3Emulator {
  /** May read and list everything of the first user's, and is refused whatever else it tries (403 AccessDenied). */
  readonly readOnly: { readonly accessKeyId: string; readonly secretAccessKey: string };
}

const OWNER = { accessKeyId: 'PARADOXONOWNER', secretAccessKey: 'secret-of-the-owner' };
const READER = { accessKeyId: 'PARADOXONREADER', secretAccessKey: 'secret-of-the-reader' };

const START_MS = 60_000;
const PORT_ATTEMPTS = 5;

/**
 * S3 by Ceph's RGW, which checks signatures, expiry and permissions as a real one does. All objects are in memory.
 * `kill` kills the gateway, all that a client sees; the cluster behind it goes on, as a cloud's does.
 *
 * @throws Error when Ceph is not installed ({@link missingCeph}), or does not come up
 */
export async function startCeph(options: CephOptions = {}): Promise<CephEmulator> {
  const missing = missingCeph();
  if (missing !== undefined) throw new Error(missing);
  const cluster = await startCluster();
  const users = makeUsers(cluster);
  const emulator = await startEmulator(
    async (port) => {
      await users;
      return startGateway(cluster, port);
    },
    cluster.discard,
    options.port,
  );
  return {
    ...emulator,
    endpoint: `http://127.0.0.1:${emulator.port}`,
    region: 'us-east-1',
    ...OWNER,
    readOnly: READER,
  };
}

async function makeUsers({ command }: CephCluster): Promise<void> {
  const keys = (user: typeof OWNER) => [`--access-key=${user.accessKeyId}`, `--secret-key=${user.secretAccessKey}`];
  await command('radosgw-admin', ['user', 'create', '--uid=owner', '--display-name=Owner', ...keys(OWNER)]);
  // a part of the first user, so that it need not be let into every bucket
  const reader = ['--uid=owner', '--subuser=owner:reader', '--access=read', '--key-type=s3'];
  await command('radosgw-admin', ['subuser', 'create', ...reader, ...keys(READER)]);
}

async function startGateway(cluster: CephCluster, wanted: number): Promise<Run> {
  for (let attempt = 1; ; attempt++) {
    // also a wanted one: another Ceph that answers there would look like ours
    const port = await freePort(wanted);
    // without tcp_nodelay every request takes 44 ms
    const frontend = `beast endpoint=127.0.0.1:${port} tcp_nodelay=1`;
    const gateway = cluster.daemon('radosgw', ['-n', 'client.rgw', '--rgw-frontends', frontend]);
    const giveUp = Date.now() + START_MS;
    while (gateway.fate() === undefined && Date.now() < giveUp) {
      if (await isUp(port)) return { port, stop: gateway.terminate, kill: gateway.kill };
      await sleep(20);
    }
    const why = gateway.fate() ?? `It was not ready within ${START_MS / 1000} s.`;
    await gateway.kill();
    const error = new Error(`radosgw did not start. ${why} It printed:\n${gateway.lastWords()}`);
    if (wanted !== 0 || !isPortTaken(error) || attempt === PORT_ATTEMPTS) throw error;
  }
}

async function isUp(port: number): Promise<boolean> {
  try {
    const answer = await fetch(`http://127.0.0.1:${port}/`);
    await answer.body?.cancel();
    return answer.ok;
  } catch {
    return false;
  }
}
