// How much memory an export of 8 videos of 64 MiB to three clouds takes at concurrency 8, one of the clouds slow.
// `npm run bench -- [MB/s of one connection to the slow cloud; 1 if absent]`. Linux only: it reads /proc.
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startFaultProxy, startGcsServer, startSourceServer } from '@paradoxon/storage-testing';
import { startClouds } from '../examples/clouds.ts';

const MiB = 1024 ** 2;
const SCENES = 8;
const SCENE_BYTES = 64 * MiB;
const CLI = resolve(import.meta.dirname, '../apps/cli/dist/main.js');

const megabytesPerSecond = Number(process.argv[2] ?? 1);
const folder = await mkdtemp(join(tmpdir(), 'paradoxon-memory-'));
const clouds = await startClouds(join(folder, 'clouds'));
const azure = new URL(clouds.environment.AZURE_STORAGE_ACCOUNT_URL ?? '');
const slow = await startFaultProxy({ host: azure.hostname, port: Number(azure.port) });
slow.inject({ upBytesPerSecond: megabytesPerSecond * 1e6 });
// the emulator of firebase-tools takes no upload in parts
const gcs = await startGcsServer({ buckets: { films: {} }, anonymous: true });
const source = await startSourceServer({ folder });
try {
  const film = await makeFilm();
  // Node's own share, and that of everything that is loaded: an export that finds the film archived already
  const first = await measured(film);
  const again = await measured(film);
  console.log(
    JSON.stringify({ videos: SCENES, mebibytesEach: SCENE_BYTES / MiB, megabytesPerSecond, first, again }, null, 2),
  );
} finally {
  await source.close();
  await gcs.close();
  await slow.close();
  await clouds.stop();
  await rm(folder, { recursive: true });
}

async function makeFilm(): Promise<string> {
  const video = await readFile(resolve(import.meta.dirname, '../examples/films/sample/scene-01.mp4'));
  const scenes = [];
  for (let n = 1; n <= SCENES; n += 1) {
    // a whole MP4, and behind it a box that players skip
    const padding = Buffer.alloc(8);
    padding.writeUInt32BE(SCENE_BYTES - video.byteLength, 0);
    padding.write('free', 4);
    const rest = randomBytes(SCENE_BYTES - video.byteLength - padding.byteLength);
    await writeFile(join(folder, `${n}.mp4`), Buffer.concat([video, padding, rest]));
    scenes.push({ scene_number: n, video_url: `${source.origin}/${n}.mp4` });
  }
  const film = join(folder, 'film.json');
  await writeFile(film, JSON.stringify({ film_id: 'memory', title: 'memory', scenes }));
  return film;
}

/** One export in a process of its own. */
async function measured(film: string): Promise<{ exitCode: number | null; seconds: number; peakMebibytes: number }> {
  const begun = Date.now();
  const child = spawn(process.execPath, [CLI, 'export', film, '--to', 's3,gcs,azure'], {
    env: {
      ...process.env,
      ...clouds.environment,
      AZURE_STORAGE_ACCOUNT_URL: `http://127.0.0.1:${slow.port}${azure.pathname}`,
      STORAGE_EMULATOR_HOST: gcs.endpoint,
      SOURCE_PRIVATE_ADDRESSES: '127.0.0.1',
      ARCHIVE_CONCURRENCY: String(SCENES),
      DATA_DIR: join(folder, 'data'),
    },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const ended = new Promise<number | null>((done) => child.once('close', done));
  let peakMebibytes = 0;
  for (let over = false; !over;) {
    peakMebibytes = Math.max(peakMebibytes, (await peakOf(child.pid)) / MiB);
    over = await Promise.race([ended.then(() => true), sleep(200).then(() => false)]);
  }
  return { exitCode: await ended, seconds: (Date.now() - begun) / 1000, peakMebibytes: Math.round(peakMebibytes) };
}

/** The largest resident set so far, bytes; 0 when the process is gone. */
async function peakOf(pid: number | undefined): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1024;
}
