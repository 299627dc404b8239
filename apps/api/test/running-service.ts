import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** The built service in a process of its own, as an operator runs it, on a free port of 127.0.0.1. */
export interface RunningService {
  readonly url: string;
  readonly process: ChildProcess;
  /** All that it printed so far. */
  output(): string;
  /** Sends a signal and waits for the end. @returns the exit code, or the signal's name */
  end(signal: NodeJS.Signals): Promise<number | string>;
}

const MAIN = join(import.meta.dirname, '../dist/main.js');

export async function startService(dataDir: string, environment: Record<string, string> = {}): Promise<RunningService> {
  const child = runMain(dataDir, environment);
  let output = '';
  const ended = new Promise<number | string>((resolve) => {
    child.once('close', (code, signal) => resolve(code ?? signal ?? -1));
  });
  const url = await new Promise<string>((resolve, reject) => {
    const listen = (text: string) => {
      output += text;
      const found = /listens on (http:\S+)/.exec(output);
      if (found?.[1]) resolve(found[1]);
    };
    child.stdout?.setEncoding('utf8').on('data', listen);
    child.stderr?.setEncoding('utf8').on('data', listen);
    void ended.then((code) => reject(new Error(`the service ended with ${code}:\n${output}`)));
  });
  return {
    url,
    process: child,
    output: () => output,
    end: (signal) => {
      child.kill(signal);
      return ended;
    },
  };
}

/** The service when it is expected not to start. */
export async function failedStart(
  dataDir: string,
  environment: Record<string, string>,
): Promise<{ code: number; output: string }> {
  const child = runMain(dataDir, environment);
  let output = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => (output += text));
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (output += text));
  const code = await new Promise<number>((resolve) => child.once('close', (status) => resolve(status ?? -1)));
  return { code, output };
}

export async function temporaryFolder(): Promise<{ path: string; remove: () => Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), 'paradoxon-'));
  return { path, remove: () => rm(path, { recursive: true, force: true, maxRetries: 5 }) };
}

function runMain(dataDir: string, environment: Record<string, string>): ChildProcess {
  return spawn(process.execPath, [MAIN], {
    // nothing of the test runner's own environment but what a shell has
    env: {
      PATH: process.env['PATH'],
      HOME: process.env['HOME'],
      DATA_DIR: dataDir,
      PORT: '0',
      SOURCE_PRIVATE_ADDRESSES: '127.0.0.1',
      ...environment,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}
