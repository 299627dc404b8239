import { fork } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { delimiter, dirname, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { watchChild } from './child.ts';
import { requireServers } from './installation.ts';
import type { Run } from './run.ts';
import type { FromServer, ServerSettings, ToServer } from './server-script.ts';
import { within } from './within.ts';

const START_MS = 60_000;
const SAVE_MS = 5000;

/**
 * Starts one of the npm servers in a Node process of its own.
 *
 * @param name as people know it, for messages
 * @param script the file in this folder that serves, without its extension
 * @throws Error with the last it has printed, when it does not come up
 */
export async function startServer(name: string, script: string, settings: ServerSettings): Promise<Run> {
  await requireServers();
  const temporary = join(settings.folder, 'tmp');
  await mkdir(temporary, { recursive: true });
  // .ts in this repository, where Node strips the types; .js once it is built
  const path = fileURLToPath(new URL(script + extname(import.meta.url), import.meta.url));
  const child = fork(path, [JSON.stringify(settings)], {
    cwd: settings.folder,
    // a group of its own: Ctrl-C in the terminal is for us, and we end it in order
    detached: true,
    execArgv: ['--disable-warning=ExperimentalWarning'],
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    // nothing else of ours: the tests' NODE_OPTIONS or an AZURITE_DB would change what is started
    env: { PATH: [dirname(process.execPath), process.env['PATH']].join(delimiter), HOME: temporary, TMPDIR: temporary },
  });
  const watched = watchChild(child);
  const message = (wanted: FromServer['kind']) =>
    new Promise<FromServer>((resolve) => {
      child.on('message', (received: FromServer) => {
        if (received.kind === wanted) resolve(received);
      });
    });

  const ready = await within(START_MS, Promise.race([message('ready'), watched.ended]));
  if (ready === undefined) {
    const why = watched.fate() ?? `It was not ready within ${START_MS / 1000} s.`;
    await watched.kill();
    throw new Error(`${name} did not start. ${why} It printed:\n${watched.lastWords()}`);
  }
  watched.release();

  return {
    port: ready.port,
    stop: () => watched.terminate(),
    async kill() {
      if (watched.fate() === undefined && child.connected) {
        const saved = message('saved');
        child.send('die' satisfies ToServer);
        await within(SAVE_MS, Promise.race([saved, watched.ended]));
      }
      await watched.kill();
    },
  };
}
