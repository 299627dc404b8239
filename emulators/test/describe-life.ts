import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { networkInterfaces } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type Emulator, ensureServers } from '../src/index.ts';
import { answers, childrenOf, folderOf, stillAlive } from './processes.ts';

export interface Subject<Server extends Emulator> {
  /** Its name in src/start-one.ts. */
  readonly byHand: string;
  readonly start: (options?: { readonly port?: number }) => Promise<Server>;
  makeBucket(server: Server): Promise<unknown>;
  put(server: Server, key: string, text: string): Promise<unknown>;
  /** @throws when there is no such object */
  get(server: Server, key: string): Promise<string>;
}

/** What every emulator promises, whatever it emulates. */
export function describeLife<Server extends Emulator>(name: string, subject: Subject<Server>): void {
  describe(name, () => {
    let server: Server;
    beforeAll(async () => {
      await ensureServers();
      server = await subject.start();
      await subject.makeBucket(server);
    }, 300_000);
    afterAll(() => server.stop());

    it('keeps what it has confirmed when it is killed, and comes back on the same port', async () => {
      await subject.put(server, 'films/1/scene one.mp4', 'before');

      await server.kill();
      const answeredWhenDead = await answers(server.port);
      await server.restart();

      expect(answeredWhenDead).toBe(false);
      await expect(subject.get(server, 'films/1/scene one.mp4')).resolves.toBe('before');
      await subject.put(server, 'films/1/scene two.mp4', 'after');
      await expect(subject.get(server, 'films/1/scene two.mp4')).resolves.toBe('after');
    });

    it('shares nothing with another one', async () => {
      const other = await subject.start();
      await subject.makeBucket(other);

      await subject.put(server, 'key', 'of one');
      await subject.put(other, 'key', 'of the other');

      await expect(subject.get(server, 'key')).resolves.toBe('of one');
      await expect(subject.get(other, 'key')).resolves.toBe('of the other');
      await other.stop();
      await expect(subject.get(server, 'key')).resolves.toBe('of one');
    });

    it('leaves no process and no folder when it is stopped, and stays stopped', async () => {
      const before = (await childrenOf(process.pid)).map(({ pid }) => pid);
      const stopped = await subject.start();
      const processes = (await childrenOf(process.pid)).filter(({ pid }) => !before.includes(pid));
      const folders = new Set(processes.map(folderOf));

      await stopped.stop();

      expect(processes.length).toBeGreaterThan(0);
      expect(await stillAlive(processes)).toEqual([]);
      expect([...folders].filter(existsSync)).toEqual([]);
      await expect(stopped.stop()).resolves.toBeUndefined();
      await expect(stopped.restart()).rejects.toThrow('was stopped');
    });

    it('is reached from this machine only', async () => {
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
          '--disable-warning=ExperimentalWarning',
          fileURLToPath(new URL('../src/start-one.ts', import.meta.url)),
          subject.byHand,
        ],
        { stdio: ['ignore', 'pipe', 'inherit'] },
      );
      const [printed] = (await once(parent.stdout, 'data')) as [Buffer];
      const { port } = JSON.parse(printed.toString()) as { port: number };
      const processes = await childrenOf(parent.pid ?? 0);
      expect(await answers(port)).toBe(true);

      parent.kill('SIGKILL');

      // until Jest loses patience
      while ((await stillAlive(processes)).length > 0) await sleep(20);
      expect(processes.length).toBeGreaterThan(0);
      // nobody is left who could: that is the one thing that stays
      for (const folder of new Set(processes.map(folderOf))) await rm(folder, { recursive: true });
    });

    it('says why it does not start', async () => {
      const second = subject.start({ port: server.port });

      await expect(second).rejects.toThrow('EADDRINUSE');
    });
  });
}
