import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { buffer } from 'node:stream/consumers';
import { afterEach, describe, expect, it } from '@jest/globals';
import { LocalStorage } from '../src/index.ts';
import { bodyOf, emptyFolder, keysOf, ownFiles } from './folder.ts';

const running: ChildProcess[] = [];

afterEach(() => {
  for (const child of running.splice(0)) child.kill('SIGKILL');
});

interface Writer {
  readonly process: ChildProcess;
  start(): void;
  /** The next line that it prints. */
  line(): Promise<string>;
}

async function startWriter(root: string, key: string, mode: string, name: string): Promise<Writer> {
  const script = new URL('writer.ts', import.meta.url).pathname;
  const child = spawn(process.execPath, ['--conditions=@paradoxon/source', script, root, key, mode, name], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: {},
  });
  running.push(child);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const line = async (): Promise<string> => {
    const next = await lines.next();
    return next.done ? 'ended' : next.value;
  };
  expect(await line()).toBe('ready');
  return { process: child, line, start: () => void child.stdin.write('go\n') };
}

describe('two processes on one folder', () => {
  it('creating the same object, leave one winner and its whole object', async () => {
    const root = await emptyFolder();
    const store = new LocalStorage('disk', { root });

    const writers = await Promise.all(['a', 'b'].map((name) => startWriter(root, 'films/1', 'create', name)));
    for (const writer of writers) writer.start();
    const outcomes = await Promise.all(writers.map(async (writer) => JSON.parse(await writer.line()) as string[]));

    expect(outcomes.flat().sort()).toEqual(['ALREADY_EXISTS', 'stored']);
    const winner = outcomes[0]?.[0] === 'stored' ? 'a' : 'b';
    const opened = await store.open('films/1');
    expect(opened.metadata).toEqual({ writer: winner });
    expect((await buffer(opened.body)).equals(Buffer.alloc(200_000, winner))).toBe(true);
    expect(await ownFiles(root)).toEqual({ temps: 0, sidecars: 1 });
  });

  it('overwriting the same object, never show a mix of two writes or nothing, and leave no litter', async () => {
    const root = await emptyFolder();
    const store = new LocalStorage('disk', { root });
    const writers = await Promise.all(['a', 'b'].map((name) => startWriter(root, 'films/1', 'overwrite', name)));
    await store.put('films/1', bodyOf(Buffer.alloc(200_000, 'a')), { metadata: { writer: 'a' } });

    for (const writer of writers) writer.start();
    let done = false;
    const outcomes = Promise.all(writers.map((writer) => writer.line())).finally(() => (done = true));
    const seen = new Set<string>();
    while (!done) {
      const opened = await store.open('films/1');
      const { writer = '' } = opened.metadata;
      expect((await buffer(opened.body)).equals(Buffer.alloc(200_000, writer))).toBe(true);
      seen.add(opened.etag ?? '');
    }

    for (const line of await outcomes) expect(JSON.parse(line)).toEqual(Array<string>(20).fill('stored'));
    expect(seen.size).toBeGreaterThan(3);
    expect(await ownFiles(root)).toEqual({ temps: 0, sidecars: 1 });
  });
});

it('shows nothing of a write whose process is killed, and sweeps what is left of it', async () => {
  const root = await emptyFolder();
  const store = new LocalStorage('disk', { root });
  const writer = await startWriter(root, 'films/1', 'hang', 'a');

  writer.start();
  expect(await writer.line()).toBe('writing');
  writer.process.kill('SIGKILL');
  await once(writer.process, 'exit');

  await expect(store.head('films/1')).rejects.toMatchObject({ code: 'NOT_FOUND' });
  expect(await keysOf(store)).toEqual([]);
  expect(await ownFiles(root)).toEqual({ temps: 1, sidecars: 0 });
  expect(await store.sweepIncomplete(new Date(Date.now() - 60_000))).toEqual({ removed: 0 });
  expect(await store.sweepIncomplete(new Date(Date.now() + 1000))).toEqual({ removed: 1 });
  expect(await ownFiles(root)).toEqual({ temps: 0, sidecars: 0 });
});
