import { execFile } from 'node:child_process';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

export interface Process {
  readonly pid: number;
  readonly command: string;
}

/** The processes that `parent` has started and that still run, but for the `ps` that tells. */
export async function childrenOf(parent: number): Promise<Process[]> {
  const { stdout } = await promisify(execFile)('ps', ['-A', '-ww', '-o', 'pid=,ppid=,args=']);
  return stdout
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(([, ppid, program]) => Number(ppid) === parent && program !== 'ps')
    .map(([pid, , ...command]) => ({ pid: Number(pid), command: command.join(' ') }));
}

/** The temporary folder that a server's command line names. */
export const folderOf = ({ command }: Process): string => /[^\s"]*\/paradoxon-[a-z]+-\w{6}/.exec(command)?.[0] ?? '';

export function isRunning({ pid }: Process): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
    throw error;
  }
}

/** Whether somebody listens there. */
export const answers = (port: number, host = '127.0.0.1'): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, host);
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });

/** @throws Error when it is not so within 10 s */
export async function until(isSo: () => boolean): Promise<void> {
  for (const giveUp = Date.now() + 10_000; !isSo(); await sleep(20)) {
    if (Date.now() > giveUp) throw new Error(`Still not so: ${isSo.toString()}`);
  }
}
