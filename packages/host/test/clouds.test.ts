import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { NestFactory } from '@nestjs/core';
import { type AzureEmulator, type S3Emulator, startAzurite, startFauxqs } from '@paradoxon/emulators';
import { type ExportInfo, ExportEvents, ExportService } from '@paradoxon/export';
import { StorageRegistry } from '@paradoxon/storage/nest';
import {
  type GcsServer,
  type SourceServer,
  startFaultProxy,
  startGcsServer,
  startSourceServer,
} from '@paradoxon/storage-testing';
import { HostModule, loadConfiguration } from '../src/index.ts';

// One film to a folder and three clouds, each a server of its own: S3 by fauxqs, Azure by Azurite, Google Cloud Storage by
// our wire-level double, because it can be told to refuse.

const STORES = ['local', 's3', 'gcs', 'azure'];
const MiB = 1024 ** 2;
const SCENES = 3;

jest.setTimeout(90_000);

let s3: S3Emulator;
let azure: AzureEmulator;
let gcs: GcsServer;
let source: SourceServer;
let folder: string;
let videos: Record<string, Buffer>;
let films = 0;
const hosts: { close(): Promise<void> }[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'clouds-'));
  [s3, azure, gcs] = await Promise.all([
    startFauxqs(),
    startAzurite(),
    startGcsServer({ buckets: { films: {} }, anonymous: true }),
  ]);
  // Google's client asks this server, and without credentials
  process.env['STORAGE_EMULATOR_HOST'] = gcs.endpoint;
  await makeBucket(s3);
  const { AzureStorage } = await import('@paradoxon/storage-azure');
  const container = new AzureStorage('azure', {
    accountUrl: azure.endpoint,
    credential: azure.accountKey,
    container: 'films',
  });
  await container.native().createIfNotExists();
  await container.close();
  const sample = await readFile(join(import.meta.dirname, '../../../examples/films/sample/scene-01.mp4'));
  videos = {};
  for (let scene = 1; scene <= SCENES; scene += 1) videos[`/${scene}.mp4`] = padded(sample, scene * 6 * MiB + scene);
  source = await startSourceServer({ files: videos });
});

afterEach(async () => {
  await Promise.all(hosts.splice(0).map((host) => host.close()));
});

afterAll(async () => {
  delete process.env['STORAGE_EMULATOR_HOST'];
  await Promise.all([source.close(), gcs.close(), s3.stop(), azure.stop()]);
  await rm(folder, { recursive: true, force: true });
});

/** fauxqs takes any signature, and none. */
async function makeBucket({ endpoint }: S3Emulator): Promise<void> {
  expect((await fetch(`${endpoint}/films`, { method: 'PUT' })).ok).toBe(true);
}

/** A whole video, and behind it a box that players skip. */
function padded(video: Buffer, bytes: number): Buffer {
  const box = Buffer.alloc(bytes - video.byteLength, `scene of ${bytes} bytes `);
  box.writeUInt32BE(box.byteLength, 0);
  box.write('free', 4);
  return Buffer.concat([video, box]);
}

const environment = (): Record<string, string> => ({
  DATA_DIR: join(folder, 'data'),
  STORAGES: 'local,aws_s3,gcs,azure_blob',
  SOURCE_PRIVATE_ADDRESSES: '127.0.0.1',
  AWS_S3_BUCKET: 'films',
  AWS_S3_ENDPOINT: s3.endpoint,
  AWS_ACCESS_KEY: s3.accessKeyId,
  AWS_SECRET_KEY: s3.secretAccessKey,
  // fauxqs ignores conditions, and keeps no whole object's CRC32C
  AWS_S3_CONDITIONAL_WRITES: 'false',
  AWS_S3_REQUEST_CHECKSUM_CALCULATION: 'WHEN_REQUIRED',
  GCS_BUCKET_NAME: 'films',
  AZURE_STORAGE_ACCOUNT_URL: azure.endpoint,
  AZURE_STORAGE_CREDENTIAL: azure.accountKey,
  AZURE_CONTAINER_NAME: 'films',
});

async function host(changed: Record<string, string> = {}) {
  const configuration = await loadConfiguration({ ...environment(), ...changed });
  const app = await NestFactory.createApplicationContext(await HostModule.forRoot(configuration, { resume: false }), {
    logger: false,
    abortOnError: false,
  });
  hosts.push(app);
  return { exports: app.get(ExportService), events: app.get(ExportEvents), registry: app.get(StorageRegistry) };
}

function film(): { film_id: string; title: string; scenes: { scene_number: number; video_url: string }[] } {
  films += 1;
  const scenes = Object.keys(videos).map((path, at) => ({ scene_number: at + 1, video_url: source.origin + path }));
  return { film_id: `film-${films}`, title: 'Three clouds', scenes };
}

const verdicts = (info: ExportInfo): string[] =>
  info.scenes.flatMap(({ scene_number: number, copies }) =>
    copies.map(({ storage, state, error }) => [number, storage, state, error?.code].filter(Boolean).join(' ')),
  );

const all = (state: string, stores = STORES): string[] =>
  Array.from({ length: SCENES }, (_, at) => stores.map((store) => `${at + 1} ${store} ${state}`)).flat();

const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

/** Reads each verified copy back. */
async function expectWhole(info: ExportInfo, registry: StorageRegistry): Promise<void> {
  for (const scene of info.scenes) {
    const original = sha256(videos[`/${scene.scene_number}.mp4`] ?? Buffer.alloc(0));
    for (const { storage, state, location } of scene.copies) {
      if (state !== 'verified') continue;
      const store = registry.get(storage);
      const key = (location ?? '').slice(store.locate('x').length - 1);
      expect([storage, sha256(await buffer((await store.open(key)).body))]).toEqual([storage, original]);
    }
  }
}

const fullReads = (since: number): number => source.requests.slice(since).filter(({ range }) => !range).length;

describe('a film to a folder and three clouds', () => {
  it('is read once per scene, and each of the four copies is the source', async () => {
    const { exports, registry } = await host();
    const manifest = film();
    const before = source.requests.length;

    await exports.saveFilm(manifest);
    await exports.filmSettled(manifest.film_id);

    const info = await exports.exportInfo(manifest.film_id);
    expect([info.status, verdicts(info).sort()]).toEqual(['completed', all('verified').sort()]);
    expect([fullReads(before), source.requests.length - before]).toEqual([SCENES, SCENES]);
    await expectWhole(info, registry);
  });

  it('says of a cloud that is down what and why; the others have their copies, and later only the gap is filled', async () => {
    const manifest = film();
    const first = await host();
    const before = source.requests.length;
    await azure.kill();
    try {
      await first.exports.saveFilm(manifest);
      await first.exports.filmSettled(manifest.film_id);
    } finally {
      await azure.restart();
    }

    const degraded = await first.exports.exportInfo(manifest.film_id);
    expect(degraded.scenes.map(({ state }) => state)).toEqual(Array(SCENES).fill('degraded'));
    expect(verdicts(degraded).filter((verdict) => !verdict.includes('azure'))).toEqual(
      all('verified', ['gcs', 'local', 's3']),
    );
    const error = degraded.scenes[0]?.copies.find(({ storage }) => storage === 'azure')?.error;
    expect(error?.code).toBe('NETWORK');
    expect(error?.message).toMatch(/azure.*ECONNREFUSED/i);

    // it was tried again, from the copies that the others have
    expect(source.requests.length - before).toBe(SCENES);

    const written: string[] = [];
    first.events.on('copy.progress', ({ storage }) => written.push(storage));
    await first.exports.exportFilm(manifest.film_id);
    await first.exports.filmSettled(manifest.film_id);
    const whole = await first.exports.exportInfo(manifest.film_id);
    expect([whole.status, new Set(written)]).toEqual(['completed', new Set(['azure'])]);
    await expectWhole(whole, first.registry);
  });

  it('goes on without a cloud that dies in the middle of an export', async () => {
    const manifest = film();
    const { exports, events, registry } = await host();
    let killed: Promise<void> | undefined;
    events.on('copy.progress', ({ filmId, storage, bytes }) => {
      if (filmId === manifest.film_id && storage === 's3' && bytes > 2 * MiB) killed ??= s3.kill();
    });
    try {
      await exports.saveFilm(manifest);
      await exports.filmSettled(manifest.film_id);
      expect(killed).toBeDefined();
    } finally {
      await killed;
      await s3.restart();
    }

    const degraded = await exports.exportInfo(manifest.film_id);
    expect(degraded.scenes.some(({ state }) => state === 'degraded')).toBe(true);
    expect(verdicts(degraded).filter((verdict) => !verdict.includes(' s3'))).toEqual(
      all('verified', ['azure', 'gcs', 'local']),
    );

    await exports.exportFilm(manifest.film_id);
    await exports.filmSettled(manifest.film_id);
    const whole = await exports.exportInfo(manifest.film_id);
    expect([whole.status, verdicts(whole).sort()]).toEqual(['completed', all('verified').sort()]);
    await expectWhole(whole, registry);
  });

  it('names the permission that a cloud denies, and gives the others their copies at once', async () => {
    const manifest = film();
    const { exports } = await host();
    gcs.fail(
      { method: 'POST', path: /upload/ },
      Array.from({ length: SCENES }, () => ({
        status: 403,
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({
          error: {
            code: 403,
            message: 'paradoxon does not have storage.objects.create access to the bucket.',
            errors: [{ reason: 'forbidden' }],
          },
        }),
      })),
    );

    await exports.saveFilm(manifest);
    await exports.filmSettled(manifest.film_id);

    const info = await exports.exportInfo(manifest.film_id);
    expect(verdicts(info).sort()).toEqual(
      [...all('failed PERMISSION_DENIED', ['gcs']), ...all('verified', ['local', 's3', 'azure'])].sort(),
    );
    expect(gcs.pendingFaults()).toBe(0);
    expect(info.scenes[0]?.copies.find(({ storage }) => storage === 'gcs')?.error?.message).toContain(
      'storage.objects.create',
    );
  });

  it('has its copies in the quick clouds before the slow one is done', async () => {
    const slow = await startFaultProxy({ host: '127.0.0.1', port: azure.port });
    slow.inject({ upBytesPerSecond: 2 * MiB });
    const manifest = film();
    const { exports, events } = await host({
      AZURE_STORAGE_ACCOUNT_URL: azure.endpoint.replace(`:${azure.port}`, `:${slow.port}`),
    });
    const order: string[] = [];
    events.on('copy.verified', ({ storage }) => order.push(storage));

    await exports.saveFilm(manifest);
    await exports.filmSettled(manifest.film_id);
    await slow.close();

    expect(verdicts(await exports.exportInfo(manifest.film_id)).sort()).toEqual(all('verified').sort());
    expect(order.at(-1)).toBe('azure');
  });
});

it('two S3 stores of paradoxon.config.mjs share nothing', async () => {
  const other = await startFauxqs();
  await makeBucket(other);
  const nest = new URL('../../storage-s3/src/nest.ts', import.meta.url).href;
  const registerOf = (id: string, { endpoint }: S3Emulator): string =>
    `S3StorageModule.register({ id: '${id}', bucket: 'films', endpoint: '${endpoint}', conditionalWrites: false,
      requestChecksumCalculation: 'WHEN_REQUIRED', credentials: { accessKeyId: '${id}', secretAccessKey: 'any' } })`;
  const file = join(folder, 'two.config.mjs');
  await writeFile(
    file,
    `import { S3StorageModule } from '${nest}';
     export default { storages: [${registerOf('s3-one', s3)}, ${registerOf('s3-two', other)}] };`,
  );
  try {
    const { exports, registry } = await host({ PARADOXON_CONFIG: file, STORAGES: 's3-two' });
    const manifest = film();

    await exports.saveFilm(manifest);
    await exports.filmSettled(manifest.film_id);

    const keys = async (id: string): Promise<string[]> => {
      const found: string[] = [];
      for await (const { key } of registry.get(id).list?.(`films/${manifest.film_id}/`) ?? []) found.push(key);
      return found;
    };
    expect([(await keys('s3-one')).length, (await keys('s3-two')).length]).toEqual([0, SCENES]);
  } finally {
    await other.stop();
  }
});
