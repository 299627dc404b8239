// Runs every command of README.md's `sh` blocks, in their order, as a reader would: each block is a terminal.
// A command that does not end by itself stays running, as it would there, until the last block is done.
import { type ChildProcess, spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';

/** What the long-running commands print once they are ready. */
const READY: readonly [command: RegExp, line: RegExp][] = [
  [/npm start/, /listens on/],
  [/npm run sample-source/, /are at/],
];
/** What else a command must print, beside ending well. */
const PRINTS: readonly [command: RegExp, output: RegExp][] = [[/-r 0-0 .*http_code/, /^206$/m]];
const running: ChildProcess[] = [];

const readme = await readFile('README.md', 'utf8');
const commands = [...readme.matchAll(/^```sh\n([\s\S]*?)^```/gm)].flatMap(([, block = '']) =>
  block.split('\n').filter((line) => line.trim() !== '' && !line.startsWith('#')),
);
try {
  for (const command of commands) {
    console.log(`$ ${command}`);
    // the install that this very run began with
    if (command.startsWith('npm ci') && !command.includes('&&')) continue;
    await run(command.replace(/^npm ci && /, ''));
  }
  console.log(`README: ${commands.length} commands ran`);
} finally {
  for (const child of running) {
    if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, 'SIGTERM');
  }
}

function run(command: string): Promise<void> {
  // `npm test` has run already, and would be counted twice
  if (command === 'npm test') return Promise.resolve();
  const ready = READY.find(([pattern]) => pattern.test(command))?.[1];
  const prints = PRINTS.find(([pattern]) => pattern.test(command))?.[1];
  const child = spawn('bash', ['-euo', 'pipefail', '-c', command], {
    stdio: ['ignore', ready || prints ? 'pipe' : 'inherit', 'inherit'],
    detached: ready !== undefined,
  });
  if (ready) running.push(child);
  return new Promise((resolve, reject) => {
    let output = '';
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      process.stdout.write(text);
      output += text;
      if (ready?.test(output)) resolve();
    });
    child.once('close', (code) => {
      if (code === 0 && prints && !prints.test(output)) reject(new Error(`"${command}" did not print ${prints}`));
      else if (code === 0 && !ready) resolve();
      else reject(new Error(`"${command}" ended with ${code}`));
    });
  });
}
