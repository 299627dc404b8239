import { execFile } from 'node:child_process';
import { connect } from 'node:net';
import { promisify } from 'node:util';

export interface Process {
  readonly pid: number;
  readonly command: string;
}

/** All processes of this machine. Not the dead that nobody has buried yet: some containers have no init that would. */
async function alive(): Promise<(Process & { readonly parent: number })[]> {
  const { stdout } = await promisify(execFile)('ps', ['-A', '-ww', '-o', 'pid=,ppid=,stat=,args=']);
  return stdout
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(([, , state]) => !state?.startsWith('Z'))
    .map(([pid, parent, , ...command]) => ({ pid: Number(pid), parent: Number(parent), command: command.join(' ') }));
}

/** The processes that `parent` has started and that still run, but for the `ps` that tells. */
export const childrenOf = async (parent: number): Promise<Process[]> =>
  (await alive()).filter((process) => process.parent === parent && !process.command.startsWith('ps '));

export async function stillAlive(processes: readonly Process[]): Promise<Process[]> {
  const pids = new Set((await alive()).map(({ pid }) => pid));
  return processes.filter(({ pid }) => pids.has(pid));
}

/** The temporary folder that a server's command line names. */
export const folderOf = ({ command }: Process): string => /[^\s"]*\/paradoxon-[a-z]+-\w{6}/.exec(command)?.[0] ?? '';

/** Whether somebody listens there. */
export const answers = (port: number, host = '127.0.0.1'): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, host);
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
