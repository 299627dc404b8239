import { mkdir, rm, stat, utimes } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

/** Its owner touches the lock every second. One that nobody has touched for so long has lost its owner, ms. */
const STALE_MS = 15_000;

/** Does `work` while no other process does anything under the lock at `path`, a folder that exists only meanwhile. */
export async function withLock(path: string, work: () => Promise<void>): Promise<void> {
  while (!(await make(path))) {
    if (await isStale(path)) await takeAway(path);
    else await sleep(200);
  }
  const alive = setInterval(() => {
    // a lock that somebody removed by hand is not ours any more; there is nothing to keep alive
    utimes(path, new Date(), new Date()).catch(() => clearInterval(alive));
  }, 1000);
  try {
    await work();
  } finally {
    clearInterval(alive);
    await rm(path, { recursive: true, force: true });
  }
}

/** Of two that find the same stale lock, the slower one must not remove the new lock of the faster: they take turns. */
async function takeAway(path: string): Promise<void> {
  const turn = `${path}.stale`;
  if (!(await make(turn))) {
    // whoever died in these few milliseconds cannot give it back
    if (await isStale(turn)) await rm(turn, { recursive: true, force: true });
    await sleep(50);
    return;
  }
  try {
    if (await isStale(path)) await rm(path, { recursive: true, force: true });
  } finally {
    await rm(turn, { recursive: true, force: true });
  }
}

async function make(path: string): Promise<boolean> {
  try {
    await mkdir(path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

async function isStale(path: string): Promise<boolean> {
  try {
    return (await stat(path)).mtimeMs < Date.now() - STALE_MS;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}
