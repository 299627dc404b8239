import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { networkInterfaces } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { type Emulator, ensureServers } from '../src/index.ts';
import { answers, childrenOf, folderOf, stillAlive } from './processes.ts';

export interface Subject<Server extends Emulator> {
  /** The name of this function in src/index.ts: another process starts it by that. */
  readonly start: (options?: { readonly port?: number }) => Promise<Server>;
  makeBucket(server: Server): Promise<void>;
  put(server: Server, key: string, text: string): Promise<unknown>;
  /** @throws when there is no such object */
  get(server: Server, key: string): Promise<string | undefined>;
}

/** What every emulator promises, whatever it emulates. */
export function describeLife<Server extends Emulator>(name: string, subject: Subject<Server>): void {
  const running: Server[] = [];
  async function start(options?: { readonly port?: number }): Promise<Server> {
    const server = await subject.start(options);
    running.push(server);
    return server;
  }

  describe(name, () => {
    beforeAll(ensureServers, 300_000);
    afterEach(() => Promise.all(running.splice(0).map((server) => server.stop())));

    it('keeps what it has confirmed when it is killed, and comes back on the same port', async () => {
      const server = await start();
      await subject.makeBucket(server);
      await subject.put(server, 'films/1/scene one.mp4', 'before');

      await server.kill();
      const answeredWhenDead = await answers(server.port);
      await server.restart();

      expect(answeredWhenDead).toBe(false);
      await expect(subject.get(server, 'films/1/scene one.mp4')).resolves.toBe('before');
      await subject.put(server, 'films/1/scene two.mp4', 'after');
      await expect(subject.get(server, 'films/1/scene two.mp4')).resolves.toBe('after');
    });

    it('leaves no process and no folder when it is stopped, and stays stopped', async () => {
      const server = await start();
      const processes = await childrenOf(process.pid);
      const folders = new Set(processes.map(folderOf));

      await server.stop();

      expect(processes.length).toBeGreaterThan(0);
      expect(await stillAlive(processes)).toEqual([]);
      expect([...folders].filter(existsSync)).toEqual([]);
      await expect(server.stop()).resolves.toBeUndefined();
      await expect(server.restart()).rejects.toThrow('was stopped');
    });

    it('shares nothing with another one', async () => {
      const [one, other] = await Promise.all([start(), start()]);
      await Promise.all([subject.makeBucket(one), subject.makeBucket(other)]);

      await subject.put(one, 'key', 'of one');
      await subject.put(other, 'key', 'of the other');
      await other.kill();

      expect(one.port).not.toBe(other.port);
      await expect(subject.get(one, 'key')).resolves.toBe('of one');
      await expect(subject.get(other, 'key')).rejects.toThrow();
    });

    it('is reached from this machine only', async () => {
      const server = await start();
      const outside = Object.values(networkInterfaces())
        .flatMap((addresses) => addresses ?? [])
        .filter(({ family, internal }) => family === 'IPv4' && !internal);

      const reached = await Promise.all(outside.map(({ address }) => answers(server.port, address)));

      expect(await answers(server.port)).toBe(true);
      expect(reached).not.toContain(true);
    });

    it('ends with the process that has started it, even when that one is killed', async () => {
      const parent = spawn(
        process.execPath,
        [
          '--conditions=@paradoxon/source',
          '--disable-warning=ExperimentalWarning',
          fileURLToPath(new URL('parent.ts', import.meta.url)),
          subject.start.name,
        ],
        { stdio: ['ignore', 'pipe', 'inherit'] },
      );
      const [port] = (await once(parent.stdout, 'data')) as [Buffer];
      const processes = await childrenOf(parent.pid ?? 0);
      expect(await answers(Number(port))).toBe(true);

      parent.kill('SIGKILL');

      // until Jest loses patience
      while ((await stillAlive(processes)).length > 0) await sleep(20);
      expect(processes.length).toBeGreaterThan(0);
      // nobody is left who could: that is the one thing that stays
      for (const folder of new Set(processes.map(folderOf))) await rm(folder, { recursive: true });
    });

    it('says why it does not start', async () => {
      const server = await start();

      const second = start({ port: server.port });

      await expect(second).rejects.toThrow('EADDRINUSE');
    });
  });
}
