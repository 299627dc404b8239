import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { once } from 'node:events';
import { get, request } from 'node:http';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExportInfo } from '@paradoxon/export';
import { type SourceServer, startFaultProxy, startSourceServer } from '@paradoxon/storage-testing';
import { failedStart, type RunningService, startService, temporaryFolder } from './running-service.ts';

const SAMPLE = join(import.meta.dirname, '../../../examples/films/sample');
const MiB = 1024 ** 2;

let source: SourceServer;
let folder: { path: string; remove: () => Promise<void> };
let service: RunningService;
/** The answer to the sample film's first post. */
let posted: Awaited<ReturnType<typeof post>>;
beforeAll(async () => {
  source = await startSourceServer({ folder: SAMPLE });
  folder = await temporaryFolder();
  service = await startService(folder.path, { MAX_VIDEO_BYTES: String(64 * MiB) });
  posted = await post('/v1/films', { film_id: 'sample', title: 'Sample film', scenes: sampleScenes() });
}, 60_000);
afterAll(async () => {
  await service.end('SIGTERM');
  await source.close();
  await folder.remove();
});

const sampleScenes = (count = 6) =>
  Array.from({ length: count }, (_, at) => ({ scene_number: at + 1, video_url: source.url(`/scene-0${at + 1}.mp4`) }));

async function call(path: string, init: RequestInit = {}, base = service.url) {
  const response = await fetch(base + path, { redirect: 'manual', ...init });
  const text = await response.text();
  const json = response.headers.get('content-type')?.includes('json') ? (JSON.parse(text) as unknown) : undefined;
  return { status: response.status, headers: response.headers, text, json };
}
const post = (path: string, body: unknown, base?: string) =>
  call(path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }, base);

const infoOf = ({ json }: { json: unknown }): ExportInfo => (json as { export_info: ExportInfo }).export_info;

async function settled(id: string, base = service.url): Promise<ExportInfo> {
  for (;;) {
    const info = infoOf(await call(`/v1/films/${id}/export`, {}, base));
    if (info.status !== 'processing') return info;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
const bytesOf = async (url: string): Promise<Uint8Array> => new Uint8Array(await (await fetch(url)).arrayBuffer());

/** Everything that stores leave while they write. */
async function unfinished(root: string): Promise<string[]> {
  return readdir(join(root, 'storage/.paradoxon/tmp')).catch(() => []);
}

describe('a film', () => {
  it('is archived, shown, and plays by redirect and from its copy', async () => {
    const info = await settled('sample');

    expect(posted.status).toBe(201);
    expect(posted.headers.get('location')).toBe('/v1/films/sample');
    expect(info).toMatchObject({ status: 'completed', storage_type: 'hybrid', total_scenes: 6, format: 'mp4' });
    const direct = await call('/v1/films/sample/scenes/6/video', { headers: { range: 'bytes=0-0' } });
    expect([direct.status, direct.headers.get('location')]).toEqual([302, source.url('/scene-06.mp4')]);
    for (const scene of info.scenes) {
      const original = await readFile(join(SAMPLE, `scene-0${scene.scene_number}.mp4`));
      expect(sha256(await bytesOf(scene.cloud_storage_url ?? ''))).toBe(sha256(original));
    }
  });

  it('plays its local copy with ranges once the strategy is cloud', async () => {
    await post('/v1/films/sample/export', { strategy: 'cloud' });
    const original = await readFile(join(SAMPLE, 'scene-06.mp4'));
    const path = '/v1/films/sample/scenes/6/video';

    const first = await call(path, { headers: { range: 'bytes=0-0' } });
    const whole = await bytesOf(service.url + path);
    const last = await bytesOf(service.url + path).then((bytes) => bytes.subarray(-5));
    const suffix = await call(path, { headers: { range: 'bytes=-5' } });
    const behind = await call(path, { headers: { range: `bytes=${original.length}-` } });
    const head = await call(path, { method: 'HEAD' });

    expect([first.status, first.headers.get('content-range')]).toEqual([206, `bytes 0-0/${original.length}`]);
    expect(first.headers.get('content-type')).toBe('video/mp4');
    expect(sha256(whole)).toBe(sha256(original));
    expect([suffix.status, suffix.headers.get('content-length')]).toEqual([206, '5']);
    expect(last).toEqual(new Uint8Array(original.subarray(-5)));
    expect([behind.status, behind.headers.get('content-range')]).toEqual([416, `bytes */${original.length}`]);
    expect([head.status, head.headers.get('content-length')]).toEqual([200, String(original.length)]);
  });

  it('is the same film when it is posted again, and nothing is fetched', async () => {
    const before = source.requests.length;

    const again = await post('/v1/films', { film_id: 'sample', title: 'Sample film', scenes: sampleScenes() });
    await settled('sample');

    expect(again.status).toBe(200);
    expect(source.requests).toHaveLength(before);
  });

  it('stands in the list, the newest first, page by page', async () => {
    await post('/v1/films?auto_upload=false', { film_id: 'second', title: 'Second', scenes: sampleScenes(1) });

    const one = (await call('/v1/films?limit=1')).json as { films: { film_id: string }[]; next: string };
    const two = (await call(`/v1/films?limit=1&before=${encodeURIComponent(one.next)}`)).json as typeof one;

    expect([one, two].map((page) => page.films.map((film) => film.film_id))).toEqual([['second'], ['sample']]);
  });
});

describe('what goes wrong stays with its scene', () => {
  it('says what is wrong with each, in words and codes, and archives the others', async () => {
    source.replace('/page.mp4', new TextEncoder().encode('<!doctype html><title>Error</title>'.padEnd(4000)));
    source.replace('/endless.mp4', { size: 3 * 1024 ** 3, seed: 1 });
    source.replace('/undeclared.mp4', { size: 3 * 1024 ** 3, seed: 2 });
    source.fail('/undeclared.mp4', ['no-length']);
    const urls = ['/none.mp4', '/page.mp4', '/endless.mp4', '/undeclared.mp4'].map((name) => source.url(name));
    const bad = [...urls, 'http://10.0.0.1/x.mp4', 'https://example.com/x.mp4'];
    const scenes = [...sampleScenes(2), ...bad.map((video_url, at) => ({ scene_number: at + 3, video_url }))];

    await post('/v1/films', { film_id: 'faults', title: 'Faults', scenes });
    const info = await settled('faults');

    const outcome = info.scenes.map((scene) => [scene.state, scene.copies[0]?.error?.code]);
    expect(outcome).toEqual([
      ['archived', undefined],
      ['archived', undefined],
      ['lost', 'SOURCE_EXPIRED'],
      ['failed', 'NOT_A_VIDEO'],
      ['failed', 'TOO_LARGE'],
      ['failed', 'TOO_LARGE'],
      ['failed', 'FORBIDDEN_URL'],
      ['failed', 'FORBIDDEN_URL'],
    ]);
    expect(info.status).toBe('partial');
    expect(await unfinished(folder.path)).toEqual([]);
  }, 60_000);

  it('resumes a source that is cut at 40 % three times, without starting over', async () => {
    const size = (await readFile(join(SAMPLE, 'scene-06.mp4'))).length;
    const proxy = await startFaultProxy({ host: '127.0.0.1', port: source.port });
    proxy.inject({ cutAfterBytes: Math.floor(size * 0.4) }, 3);
    const before = source.requests.length;

    await post('/v1/films', {
      film_id: 'cut',
      title: 'Cut',
      scenes: [{ scene_number: 1, video_url: proxy.url('/scene-06.mp4') }],
    });
    const info = await settled('cut');
    await proxy.close();

    const asked = source.requests.slice(before).map((request) => request.range ?? 'whole');
    expect(info.scenes[0]).toMatchObject({
      state: 'archived',
      sha256: sha256(await readFile(join(SAMPLE, 'scene-06.mp4'))),
    });
    expect(asked.filter((range) => range === 'whole')).toHaveLength(1);
    expect(asked.filter((range) => /^bytes=[1-9]\d*-/.test(range)).length).toBeGreaterThanOrEqual(2);
  }, 60_000);

  it.each([
    { title: 'an unknown film', path: '/v1/films/nobody', status: 404, code: 'FILM_NOT_FOUND' },
    { title: 'an unknown scene', path: '/v1/films/sample/scenes/99/video', status: 404, code: 'SCENE_NOT_FOUND' },
    { title: 'an impossible scene', path: '/v1/films/sample/scenes/x/video', status: 400, code: 'INVALID_REQUEST' },
    { title: 'a wrong page size', path: '/v1/films?limit=0', status: 400, code: 'INVALID_REQUEST' },
    { title: 'a page that was never given out', path: '/v1/films?before=x', status: 400, code: 'INVALID_CURSOR' },
    { title: 'an unknown store', path: '/v1/storages/none/objects/x', status: 404, code: 'NOT_FOUND' },
    { title: 'an unknown path', path: '/v1/nothing', status: 404, code: 'HTTP_404' },
  ])('answers $title with a problem', async ({ path, status, code }) => {
    const answer = await call(path);

    expect(answer.status).toBe(status);
    expect(answer.headers.get('content-type')).toContain('application/problem+json');
    expect(answer.json).toMatchObject({ status, code, type: `urn:paradoxon:error:${code.toLowerCase()}` });
  });

  it('refuses a forged link and an expired one', async () => {
    const { cloud_storage_url: url } = (await settled('sample')).scenes[0] ?? {};
    const signed = new URL(url ?? '');
    const altered = new URL(signed);
    altered.searchParams.set('expires', String(Number(signed.searchParams.get('expires')) + 60));

    expect((await fetch(signed)).status).toBe(200);
    expect((await fetch(altered)).status).toBe(403);
    expect((await fetch(signed.href.replace('0001', '0002'))).status).toBe(403);
  });

  it.each([
    { title: 'no scenes', body: { title: 'Film', scenes: [] }, names: 'scenes' },
    {
      title: 'an unknown field',
      body: { title: 'Film', scenes: [{ scene_number: 1, video_url: 'https://h/x', x: 1 }] },
      names: 'x',
    },
    {
      title: 'a file: URL',
      body: { title: 'Film', scenes: [{ scene_number: 1, video_url: 'file:///etc/passwd' }] },
      names: 'video_url',
    },
  ])('refuses a film with $title, naming it', async ({ body, names }) => {
    const answer = await post('/v1/films', body);

    expect(answer.status).toBe(400);
    expect((answer.json as { detail: string }).detail).toContain(names);
  });
});

describe('a request that a browser may have been talked into', () => {
  /** Like fetch, which lets nobody set `Host`. */
  function ask(method: string, path: string, headers: Record<string, string>, body = ''): Promise<[number, string]> {
    return new Promise((resolve, reject) => {
      const sent = request(service.url + path, { method, headers, agent: false }, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
        response.once('end', () => resolve([response.statusCode ?? 0, (JSON.parse(text) as { code: string }).code]));
      });
      sent.once('error', reject).end(body);
    });
  }

  it.each(['evil.example', 'evil.example:PORT', '127.0.0.1.evil.example:PORT', '127.0.0.1:1', '10.0.0.1:PORT'])(
    'is refused when it calls this service %s',
    async (name) => {
      const host = name.replace('PORT', new URL(service.url).port);

      expect(await ask('GET', '/v1/films', { host })).toEqual([421, 'FOREIGN_HOST']);
    },
  );

  it.each(['127.0.0.1', 'localhost', '[::1]'])('is answered when it calls this service %s', async (name) => {
    expect(await ask('GET', '/v1/films', { host: `${name}:${new URL(service.url).port}` })).toEqual([200, undefined]);
  });

  it.each(['https://evil.example', 'http://127.0.0.1:1', 'null'])(
    'is refused when %s asks for a change',
    async (origin) => {
      expect(await ask('POST', '/v1/films/sample/export', { origin })).toEqual([403, 'FOREIGN_ORIGIN']);
      expect(await ask('GET', '/v1/films', { origin })).toEqual([200, undefined]);
    },
  );

  it.each(['text/plain', 'application/x-www-form-urlencoded', undefined])(
    'is refused when its body comes as %s',
    async (type) => {
      const headers = { 'content-length': '22', ...(type === undefined ? {} : { 'content-type': type }) };

      const answer = await ask('POST', '/v1/films/sample/export', headers, '{"strategy": "direct"}');

      expect(answer).toEqual([415, 'UNSUPPORTED_MEDIA_TYPE']);
    },
  );
});

it('a service that users reach by another name answers to it', async () => {
  const own = await temporaryFolder();
  const running = await startService(own.path, { PUBLIC_URL: 'https://films.example.com' });

  const status = await new Promise((resolve, reject) => {
    const headers = { host: 'films.example.com' };
    get(`${running.url}/health/live`, { headers, agent: false }, (answer) => resolve(answer.resume().statusCode)).once(
      'error',
      reject,
    );
  });
  await running.end('SIGTERM');

  expect(status).toBe(200);
  await own.remove();
}, 30_000);

describe('a full disk', () => {
  const missing = whatIsMissingForASmallDisk();
  if (missing) console.warn(`SKIPPED: the test of a full disk. Missing: ${missing}`);

  (missing ? it.skip : it)(
    'fails the scene that does not fit, by code, and leaves the others whole',
    async () => {
      const own = await temporaryFolder();
      const small = join(own.path, 'small');
      mountSmallDisk(small);
      const running = await startService(join(own.path, 'data'), {
        LOCAL_STORAGE_DIR: small,
        // one after the other: two at once may fill the disk for each other
        ARCHIVE_CONCURRENCY: '1',
      });

      await post('/v1/films', { film_id: 'full', title: 'Full', scenes: sampleScenes() }, running.url);
      const info = await settled('full', running.url);
      await running.end('SIGTERM');

      expect(info.scenes.map((scene) => scene.copies[0]?.error?.code ?? scene.state)).toEqual([
        ...Array.from({ length: 5 }, () => 'archived'),
        'QUOTA_EXCEEDED',
      ]);
      expect(info.scenes[5]?.copies[0]?.error?.message).toContain(small);
      expect(await readdir(join(small, '.paradoxon/tmp'))).toEqual([]);
      expect(await readdir(join(small, 'films/full'))).toHaveLength(5);
      execFileSync('umount', ['--lazy', small]);
      await own.remove();
    },
    60_000,
  );
});

describe('operations', () => {
  it('is alive and ready, telling database and stores apart', async () => {
    const ready = await call('/health/ready');

    expect((await call('/health/live')).status).toBe(200);
    expect(ready.status).toBe(200);
    expect(ready.json).toMatchObject({ details: { database: { status: 'up' }, 'storage:local': { status: 'up' } } });
  });

  it('describes itself: every call with the same limits that it enforces', async () => {
    const document = (await call('/docs-json')).json as { paths: Record<string, object> };

    expect(Object.keys(document.paths).sort()).toEqual([
      '/health/live',
      '/health/ready',
      '/v1/films',
      '/v1/films/{film_id}',
      '/v1/films/{film_id}/export',
      '/v1/films/{film_id}/scenes/{scene_number}/video',
    ]);
    expect(JSON.stringify(document)).toContain('"maximum":9999');
    expect(document.paths).toMatchObject({
      '/v1/films': {
        post: { responses: { 200: {}, 201: {}, default: { content: { 'application/problem+json': {} } } } },
      },
      '/v1/films/{film_id}/export': { post: { requestBody: { required: false } } },
      '/v1/films/{film_id}/scenes/{scene_number}/video': {
        get: { responses: { 200: { content: { 'video/mp4': {} } }, 304: {}, 404: {}, 409: {}, 410: {}, 416: {} } },
      },
    });
  });

  it('says which store is down and why, without calling it a failure in the log', async () => {
    const own = await temporaryFolder();
    const running = await startService(own.path);
    await rm(join(own.path, 'storage'), { recursive: true, force: true });
    await writeFile(join(own.path, 'storage'), 'not a folder');

    const ready = await call('/health/ready', {}, running.url);
    await running.end('SIGTERM');

    expect(ready.status).toBe(503);
    expect(ready.headers.get('content-type')).toContain('application/problem+json');
    expect(ready.json).toMatchObject({
      code: 'NOT_READY',
      detail: 'Cannot be used: storage:local.',
      details: {
        details: {
          database: { status: 'up' },
          'storage:local': { status: 'down', failed: [{ ok: false, detail: expect.any(String) }] },
        },
      },
    });
    expect(running.output()).not.toContain('"level":50');
    await own.remove();
  }, 30_000);

  it('says of a cloud that accepts connections and never answers that it cannot be used', async () => {
    const own = await temporaryFolder();
    const silent = createServer((socket) => socket.on('error', () => socket.destroy())).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const running = await startService(own.path, {
      STORAGES: 'local',
      AWS_S3_BUCKET: 'films',
      AWS_S3_ENDPOINT: `http://127.0.0.1:${(silent.address() as AddressInfo).port}`,
      AWS_ACCESS_KEY: 'key',
      AWS_SECRET_KEY: 'secret',
    });

    const ready = await call('/health/ready', {}, running.url);
    await running.end('SIGTERM');
    silent.close();

    expect([ready.status, ready.json]).toMatchObject([
      503,
      {
        detail: 'Cannot be used: storage:s3.',
        details: { details: { 'storage:local': { status: 'up' }, 'storage:s3': { status: 'down' } } },
      },
    ]);
    expect(JSON.stringify(ready.json)).toContain('has not answered in 5 s');
    await own.remove();
  }, 30_000);

  it('warns of the private addresses that it may reach', () => {
    expect(service.output()).toContain('SOURCE_PRIVATE_ADDRESSES lets videos be fetched from 127.0.0.1');
  });

  it('refuses to start with a bad value, naming it', async () => {
    const { code, output } = await failedStart(folder.path, { STORAGE_STRATEGY: 'cloudy', PORT: 'web' });

    expect(code).toBe(1);
    expect(output).toContain('STORAGE_STRATEGY is "cloudy": allowed is direct, cloud, hybrid.');
    expect(output).toContain('PORT is "web"');
  }, 30_000);

  it('refuses a second process on the same data, saying what to do', async () => {
    const { code, output } = await failedStart(folder.path, {});

    expect(code).toBe(1);
    expect(output).toMatch(/^Another paradoxon process \(pid \d+\) already uses .* set DATABASE_URL/);
    expect(output).not.toContain('    at ');
    expect((await call('/health/ready')).status).toBe(200);
  }, 30_000);
});

describe('a port that is taken', () => {
  it('ends the start with words, and leaves no database behind', async () => {
    const own = await temporaryFolder();
    const { port } = new URL(service.url);

    const { code, output } = await failedStart(own.path, { PORT: port });

    expect(code).toBe(1);
    expect(output).toContain(`Port ${port} of 127.0.0.1 is in use: stop what uses it, or set PORT to another one`);
    expect(output).not.toContain('    at ');
    // PostgreSQL takes this file away when it ends, and only then
    expect(await readdir(join(own.path, 'database'), { recursive: true })).not.toContainEqual(
      expect.stringMatching(/postmaster\.pid$/),
    );
    await own.remove();
  }, 30_000);
});

describe('an end while a player reads slowly and another keeps its connection', () => {
  it('takes less time than Docker gives', async () => {
    const own = await temporaryFolder();
    const running = await startService(own.path, { STORAGE_STRATEGY: 'cloud' });
    source.replace('/long.mp4', { size: 32 * MiB, seed: 3 });
    await post(
      '/v1/films',
      { film_id: 'long', title: 'Long', scenes: [{ scene_number: 1, video_url: source.url('/long.mp4') }] },
      running.url,
    );
    await settled('long', running.url);
    const slow = await fetch(`${running.url}/v1/films/long/scenes/1/video`);
    const started = performance.now();

    const ended = await running.end('SIGTERM');

    expect(slow.status).toBe(200);
    expect(performance.now() - started).toBeLessThan(8000);
    expect(ended).toBe('SIGTERM');
    await expect(slow.arrayBuffer()).rejects.toThrow();
    await own.remove();
  }, 60_000);
});

describe('an end in the middle of the work', () => {
  it.each(['SIGTERM', 'SIGKILL'] as const)(
    'by %s loses nothing: the next start goes on',
    async (signal) => {
      const own = await temporaryFolder();
      const slow = await startFaultProxy({ host: '127.0.0.1', port: source.port });
      slow.inject({ bytesPerSecond: 64 * 1024 });
      const first = await startService(own.path);
      const scenes = [{ scene_number: 1, video_url: slow.url('/scene-06.mp4') }];
      await post('/v1/films', { film_id: 'film', title: 'Film', scenes }, first.url);
      await until(async () => (await unfinished(own.path)).length > 0);

      const ended = await first.end(signal);
      slow.heal();
      const second = await startService(own.path);
      const info = await settled('film', second.url);
      await second.end('SIGTERM');

      expect(ended).toBe(signal);
      expect(info.scenes[0]?.state).toBe('archived');
      if (signal === 'SIGTERM') expect(await unfinished(own.path)).toEqual([]);
      await slow.close();
      await own.remove();
    },
    90_000,
  );
});

function mountSmallDisk(path: string): void {
  mkdirSync(path, { recursive: true });
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', path], { stdio: 'pipe' });
}

function whatIsMissingForASmallDisk(): string | undefined {
  const path = mkdtempSync(join(tmpdir(), 'paradoxon-disk-'));
  try {
    mountSmallDisk(path);
    execFileSync('umount', ['--lazy', path]);
    return undefined;
  } catch (error) {
    return `the right to mount a tmpfs (${String(error).split('\n')[0]})`;
  } finally {
    rmSync(path, { recursive: true, force: true });
  }
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 20));
}
