import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ExportInfo } from '@paradoxon/export';
import { type SourceServer, startFaultProxy, startSourceServer } from '@paradoxon/storage-testing';

const MAIN = join(import.meta.dirname, '../dist/main.js');
const SAMPLE = join(import.meta.dirname, '../../../examples/films/sample');

let source: SourceServer;
let folder: string;
beforeAll(async () => {
  source = await startSourceServer({ folder: SAMPLE });
  folder = await mkdtemp(join(tmpdir(), 'paradoxon-cli-'));
});
afterAll(async () => {
  await source.close();
  await rm(folder, { recursive: true, force: true, maxRetries: 5 });
});

/** The command as a user runs it. */
function paradoxon(...args: string[]): Promise<Outcome> {
  return start(args).ended;
}

interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function start(
  args: string[],
  environment: Record<string, string> = {},
): { child: ChildProcess; ended: Promise<Outcome> } {
  const child = spawn(process.execPath, [MAIN, ...args], {
    cwd: folder,
    env: {
      PATH: process.env['PATH'],
      HOME: process.env['HOME'],
      SOURCE_PRIVATE_ADDRESSES: '127.0.0.1',
      ...environment,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const printed = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => (printed.stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (printed.stderr += text));
  const ended = new Promise<Outcome>((resolve) => {
    child.once('close', (code) => resolve({ code: code ?? -1, ...printed }));
  });
  return { child, ended };
}

async function filmFile(name: string, film: object | string): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, typeof film === 'string' ? film : JSON.stringify(film));
  return path;
}

const sample = () => ({
  film_id: 'sample',
  title: 'Sample film',
  scenes: Array.from({ length: 6 }, (_, at) => ({
    scene_number: at + 1,
    video_url: source.url(`/scene-0${at + 1}.mp4`),
  })),
});
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

describe('paradoxon export', () => {
  it('archives the sample film into six files that equal the originals, and has nothing to do the second time', async () => {
    const file = await filmFile('sample.json', sample());

    const first = await paradoxon('export', file, '--strategy', 'hybrid', '--to', 'local', '--json');
    const second = await paradoxon('export', file, '--strategy', 'hybrid', '--to', 'local', '--json');

    expect([first.code, second.code]).toEqual([0, 0]);
    const { export_info: info } = JSON.parse(first.stdout) as { export_info: ExportInfo };
    expect(info).toMatchObject({ status: 'completed', storage_type: 'hybrid', total_scenes: 6 });
    for (const scene of info.scenes) {
      const original = await readFile(join(SAMPLE, `scene-0${scene.scene_number}.mp4`));
      const copy = await readFile(fileURLToPath(scene.copies[0]?.location ?? ''));
      expect(sha256(copy)).toBe(sha256(original));
    }
    expect(await readdir(join(folder, 'data/storage/films/sample'))).toHaveLength(6);
    expect(second.stderr).toContain('Nothing to do: 6 verified copies of 6 scenes in local');
    expect(source.requests).toHaveLength(6);
  }, 60_000);

  it('ends with 1, naming scene, store and reason, when a wanted copy is missing', async () => {
    const scenes = [...sample().scenes.slice(0, 1), { scene_number: 2, video_url: source.url('/none.mp4') }];
    const file = await filmFile('missing.json', { film_id: 'missing', title: 'Missing', scenes });

    const { code, stderr, stdout } = await paradoxon('export', file);

    expect(code).toBe(1);
    expect(stderr).toContain('scene 1 → local: verified');
    expect(stderr).toContain('scene 2 → local: failed, SOURCE_EXPIRED');
    expect(stdout).toBe('');
  }, 60_000);

  it('keeps what is wanted of a film that is known, unless the command says otherwise', async () => {
    const file = await filmFile('kept.json', { ...sample(), film_id: 'kept' });
    const type = ({ stdout }: Outcome) => (JSON.parse(stdout) as { export_info: ExportInfo }).export_info.storage_type;

    const first = await paradoxon('export', file, '--strategy', 'cloud', '--json');
    const plain = await paradoxon('export', file, '--json');
    const other = await paradoxon('export', file, '--strategy', 'hybrid', '--json');

    expect([first, plain, other].map(type)).toEqual(['cloud', 'cloud', 'hybrid']);
  }, 60_000);

  it.each([
    { signal: 'SIGINT', code: 130 },
    { signal: 'SIGTERM', code: 143 },
  ] as const)(
    'ends with $code on $signal',
    async ({ signal, code }) => {
      const slow = await startFaultProxy({ host: '127.0.0.1', port: source.port });
      slow.inject({ bytesPerSecond: 32 * 1024 });
      const scenes = [{ scene_number: 1, video_url: slow.url('/scene-06.mp4') }];
      const file = await filmFile('slow.json', { film_id: signal, title: 'Slow', scenes });
      const before = source.requests.length;

      const { child, ended } = start(['export', file]);
      while (source.requests.length === before) await new Promise((resolve) => setTimeout(resolve, 20));
      child.kill(signal);

      expect((await ended).code).toBe(code);
      await slow.close();
    },
    60_000,
  );

  it('ends with 3, in words, when the database does not answer', async () => {
    const file = await filmFile('sample.json', sample());

    const { code, stderr } = await start(['export', file], { DATABASE_URL: 'postgresql://u:hunter2@127.0.0.1:1/x' })
      .ended;

    expect(code).toBe(3);
    expect(stderr).toMatch(/^paradoxon: /m);
    expect(stderr).not.toContain('hunter2');
    expect(stderr).not.toContain('    at ');
  }, 30_000);

  it('warns as LOG_LEVEL says', async () => {
    const file = await filmFile('sample.json', sample());

    const warned = await start(['export', file]).ended;
    const quiet = await start(['export', file], { LOG_LEVEL: 'error' }).ended;

    expect(warned.stderr).toContain('warning: SOURCE_PRIVATE_ADDRESSES');
    expect(quiet.stderr).not.toContain('warning');
  }, 60_000);

  it('ends with 1 when the store cannot be asked whether the copies are still there', async () => {
    const file = await filmFile('away.json', { ...sample(), film_id: 'away', scenes: sample().scenes.slice(0, 1) });
    await paradoxon('export', file);
    await rename(join(folder, 'data/storage'), join(folder, 'data/elsewhere'));
    await writeFile(join(folder, 'data/storage'), 'not a folder');

    const { code, stderr } = await paradoxon('export', file);

    await rm(join(folder, 'data/storage'));
    await rename(join(folder, 'data/elsewhere'), join(folder, 'data/storage'));
    expect(code).toBe(1);
    expect(stderr).toContain('scene 1 → local: was verified, and cannot be checked now');
  }, 60_000);

  it.each([
    { title: 'a file that does not exist', args: ['export', 'none.json'], says: 'none.json cannot be read' },
    { title: 'a file that is not JSON', args: ['export', 'broken.json'], says: 'broken.json is not JSON' },
    { title: 'a file that is no film', args: ['export', 'nofilm.json'], says: 'scenes.0.scene_number' },
    {
      title: 'a strategy that does not exist',
      args: ['export', 'sample.json', '--strategy', 'x'],
      says: 'Allowed choices are direct, cloud, hybrid',
    },
    {
      title: 'a store that does not exist',
      args: ['export', 'sample.json', '--to', 'dropbox'],
      says: 'STORAGES is "dropbox": there is no store dropbox. Configured are local',
    },
    {
      title: 'a list of stores that is empty',
      args: ['export', 'sample.json', '--to', ''],
      says: 'at least one store',
    },
    { title: 'an unknown command', args: ['exprot'], says: 'export' },
  ])('ends with 2 and says what is wrong with $title', async ({ args, says }) => {
    await filmFile('broken.json', '{"title":');
    await filmFile('nofilm.json', { title: 'x', scenes: [{ scene_number: 0, video_url: 'https://h/x.mp4' }] });
    await filmFile('sample.json', sample());

    const { code, stderr } = await paradoxon(...args);

    expect(code).toBe(2);
    expect(stderr).toContain(says);
    expect(stderr).not.toContain('    at ');
  });

  it('ends with 2, and leaves no database running, when an option of a store cannot be', async () => {
    const file = await filmFile('film.json', sample());
    const environment = {
      AWS_S3_BUCKET: 'films',
      AWS_REGION: 'eu-central-1',
      AWS_S3_STORAGE_CLASS: 'GLACIER',
      DATA_DIR: join(folder, 'never'),
    };

    const { code, stderr } = await start(['export', file, '--to', 's3'], environment).ended;

    expect(code).toBe(2);
    expect(stderr).toContain('storageClass must be a storage class');
    expect(existsSync(join(folder, 'never/database'))).toBe(false);
  });
});
