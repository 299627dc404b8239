import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createHash, randomUUID } from 'node:crypto';
import { utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { StorageError, type StoragePlugin } from '@paradoxon/storage';
import { faultyStorage, MemoryStorage } from '@paradoxon/storage-testing';
import type { FilmManifest } from '../src/films/film-manifest.ts';
import { exportSetting, type Setting } from './export-setting.ts';

let setting: Setting;
beforeAll(async () => {
  setting = await exportSetting();
}, 60_000);
afterAll(() => setting.close());

/** A small MP4 by its first box, different by its seed. */
const video = (seed: number, bytes = 50_000): Uint8Array => {
  const content = new Uint8Array(bytes).map((_, at) => (at * 31 + seed * 7) % 251);
  content.set(Buffer.from('\0\0\0\x18ftypisom\0\0\0\0isommp42', 'latin1'));
  return content;
};
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
const read = async (store: StoragePlugin, key: string): Promise<Uint8Array> => buffer((await store.open(key)).body);

/** A film of its own for a test: its scenes are served under paths that no other test uses. */
function film(videos: readonly Uint8Array[]): FilmManifest & { film_id: string } {
  const film_id = randomUUID();
  const scenes = videos.map((content, at) => {
    setting.source.replace(`/${film_id}/${at + 1}.mp4`, content);
    return { scene_number: at + 1, video_url: setting.source.url(`/${film_id}/${at + 1}.mp4`), duration: 2 };
  });
  return { film_id, title: 'Film', scenes };
}
const requestsFor = ({ film_id }: { film_id: string }) =>
  setting.source.requests.filter((request) => request.path.startsWith(`/${film_id}/`)).length;

describe('the first archive', () => {
  it('stores every scene in every store, whole, and reads each source once', async () => {
    const memory = new MemoryStorage('memory');
    const { service, defects } = setting.service([memory, setting.disk]);
    const videos = [video(1), video(2), video(3, 300_000)];
    const manifest = film(videos);

    await service.saveFilm(manifest);
    await service.filmSettled(manifest.film_id);

    const info = await service.exportInfo(manifest.film_id);
    expect(defects).toEqual([]);
    expect(info).toMatchObject({
      status: 'completed',
      total_scenes: 3,
      total_duration: 6,
      total_file_size: 400_000,
      format: 'mp4',
    });
    expect(info.scenes.map((scene) => scene.sha256)).toEqual(videos.map(sha256));
    for (const [at, content] of videos.entries()) {
      const key = `films/${manifest.film_id}/000${at + 1}-r1.mp4`;
      expect(sha256(await read(memory, key))).toBe(sha256(content));
      expect(sha256(await read(setting.disk, key))).toBe(sha256(content));
    }
    expect(requestsFor(manifest)).toBe(3);
  });

  it('does nothing the second time, whether by saving or by exporting again', async () => {
    const memory = new MemoryStorage('memory');
    const { service, history } = setting.service([memory]);
    const manifest = film([video(4)]);
    await service.saveFilm(manifest);
    await service.filmSettled(manifest.film_id);
    const first = history(manifest.film_id);

    const again = await service.saveFilm(manifest);
    await service.exportFilm(manifest.film_id);
    await service.filmSettled(manifest.film_id);

    expect(again).toMatchObject({ created: false, changed: false });
    expect(new Set(history(manifest.film_id).slice(first.length))).toEqual(new Set(['scene.settled 1 archived']));
    expect(requestsFor(manifest)).toBe(1);
  });

  it('keeps what one scene does wrong to that scene', async () => {
    const memory = new MemoryStorage('memory');
    const { service } = setting.service([memory]);
    const html = new TextEncoder().encode('<!doctype html><title>Not found</title>'.padEnd(2000));
    const manifest = film([video(5), html, video(6)]);
    setting.source.expire(`/${manifest.film_id}/3.mp4`);
    manifest.scenes.push({ scene_number: 4, video_url: 'http://10.1.2.3/x.mp4' });
    manifest.scenes.push({ scene_number: 5, video_url: 'placeholder_scene.mp4' });

    await service.saveFilm(manifest);
    await service.filmSettled(manifest.film_id);

    const info = await service.exportInfo(manifest.film_id);
    expect(info.status).toBe('partial');
    expect(info.scenes.map((scene) => [scene.state, scene.error?.code, scene.copies[0]?.error?.code])).toEqual([
      ['archived', undefined, undefined],
      ['failed', 'NOT_A_VIDEO', 'NOT_A_VIDEO'],
      ['lost', 'SOURCE_EXPIRED', 'SOURCE_EXPIRED'],
      ['failed', 'FORBIDDEN_URL', 'FORBIDDEN_URL'],
      ['placeholder', undefined, undefined],
    ]);
    expect(info.cloud_urls).toHaveLength(1);
  });

  it('archives a scene known by its prediction only, and learns its deadline', async () => {
    const memory = new MemoryStorage('memory');
    const { service } = setting.service([memory]);
    const { film_id } = film([video(7)]);
    const prediction_id = 'a1b2c3d4e5f6g7h8j9k0m1n2p3';
    const created_at = new Date(Date.now() - 10 * 60_000).toISOString();
    const output = [setting.source.url(`/${film_id}/1.mp4`)];
    setting.predictions.set(prediction_id, { id: prediction_id, status: 'succeeded', output, created_at, input: {} });

    await service.saveFilm({ film_id, title: 'Predicted', scenes: [{ scene_number: 1, prediction_id }] });
    await service.filmSettled(film_id);

    const info = await service.exportInfo(film_id);
    expect(info.scenes[0]).toMatchObject({ state: 'archived', sha256: sha256(video(7)) });
    const expires = new Date(info.scenes[0]?.video_url_expires_at ?? 0).getTime();
    expect(expires - Date.now()).toBeLessThan(51 * 60_000);
    expect(expires - Date.now()).toBeGreaterThan(49 * 60_000);
  });
});

describe('the gap, and nothing else, is filled', () => {
  it('from a copy when a store is added after the source has died', async () => {
    const [one, two] = [new MemoryStorage('one'), new MemoryStorage('two')];
    const { service } = setting.service([one, two], { defaults: ['one'] });
    const manifest = film([video(8)]);
    await service.saveFilm(manifest);
    await service.filmSettled(manifest.film_id);
    setting.source.expire(`/${manifest.film_id}/1.mp4`);

    await service.exportFilm(manifest.film_id, { storages: ['one', 'two'] });
    await service.filmSettled(manifest.film_id);

    const info = await service.exportInfo(manifest.film_id);
    expect(info.scenes[0]?.copies.map((copy) => [copy.storage, copy.state])).toEqual([
      ['one', 'verified'],
      ['two', 'verified'],
    ]);
    expect(sha256(await read(two, `films/${manifest.film_id}/0001-r1.mp4`))).toBe(sha256(video(8)));
  });

  it.each(['deleted', 'altered'] as const)(
    'from a surviving copy when one was %s and the source has died',
    async (what) => {
      const [one, two] = [new MemoryStorage('one'), new MemoryStorage('two')];
      const { service, history } = setting.service([one, two]);
      const manifest = film([video(9)]);
      const key = `films/${manifest.film_id}/0001-r1.mp4`;
      await service.saveFilm(manifest);
      await service.filmSettled(manifest.film_id);
      setting.source.expire(`/${manifest.film_id}/1.mp4`);
      await one.delete(key);
      if (what === 'altered') await one.put(key, { chunks: Readable.from([video(10)]) });

      await service.exportFilm(manifest.film_id);
      await service.filmSettled(manifest.film_id);

      expect(history(manifest.film_id)).toContain(`copy.lost 1 one ${what === 'deleted' ? 'missing' : 'corrupt'}`);
      expect((await service.exportInfo(manifest.film_id)).scenes[0]?.state).toBe('archived');
      expect(sha256(await read(one, key))).toBe(sha256(video(9)));
    },
  );

  it('by the next run when the repair of an altered copy fails at first', async () => {
    const memory = new MemoryStorage('memory');
    const flaky = faultyStorage(memory, { put: [{}, { failAfterBytes: 1000 }] });
    const { service } = setting.service([flaky]);
    const manifest = film([video(42)]);
    const key = `films/${manifest.film_id}/0001-r1.mp4`;
    await service.saveFilm(manifest);
    await service.filmSettled(manifest.film_id);
    await memory.put(key, { chunks: Readable.from([video(43)]) });

    for (const state of ['failed', 'archived']) {
      await service.exportFilm(manifest.film_id);
      await service.filmSettled(manifest.film_id);
      expect((await service.exportInfo(manifest.film_id)).scenes[0]?.state).toBe(state);
    }

    expect(sha256(await read(memory, key))).toBe(sha256(video(42)));
  });

  it.each([
    {
      what: 'overwritten by other bytes of the same size',
      change: (path: string) => writeFile(path, new Uint8Array(50_000)),
      lost: true,
    },
    { what: 'only touched', change: (path: string) => utimes(path, new Date(), new Date()), lost: false },
  ])('only when a file on disk was really altered: $what', async ({ change, lost }) => {
    const { service, history } = setting.service([setting.disk]);
    const manifest = film([video(40)]);
    const key = `films/${manifest.film_id}/0001-r1.mp4`;
    await service.saveFilm(manifest);
    await service.filmSettled(manifest.film_id);
    await change(join(setting.diskRoot, key));

    await service.exportFilm(manifest.film_id);
    await service.filmSettled(manifest.film_id);

    expect(history(manifest.film_id).includes('copy.lost 1 disk corrupt')).toBe(lost);
    expect((await service.exportInfo(manifest.film_id)).scenes[0]?.state).toBe('archived');
    expect(sha256(await read(setting.disk, key))).toBe(sha256(video(40)));
  });

  it('not when its store cannot be asked: the copy stays verified, with the reason beside it', async () => {
    const down = faultyStorage(new MemoryStorage('down'), {
      head: [{ error: new StorageError('UNAVAILABLE', 'Down.') }],
    });
    const { service } = setting.service([down]);
    const manifest = film([video(41)]);
    await service.saveFilm(manifest);
    await service.filmSettled(manifest.film_id);

    await service.exportFilm(manifest.film_id);
    await service.filmSettled(manifest.film_id);
    const unknown = await service.exportInfo(manifest.film_id);
    await service.exportFilm(manifest.film_id);
    await service.filmSettled(manifest.film_id);

    expect(unknown.scenes[0]?.copies[0]).toMatchObject({ state: 'verified', error: { code: 'UNAVAILABLE' } });
    expect((await service.exportInfo(manifest.film_id)).scenes[0]?.copies[0]).toMatchObject({
      state: 'verified',
      error: null,
    });
  });

  it('by a re-run when one of two stores failed, leaving the other alone', async () => {
    const good = new MemoryStorage('good');
    const bad = faultyStorage(new MemoryStorage('bad'), { put: [{ failAfterBytes: 1000 }] });
    const { service, history } = setting.service([good, bad]);
    const manifest = film([video(11)]);
    await service.saveFilm(manifest);
    await service.filmSettled(manifest.film_id);
    const between = await service.exportInfo(manifest.film_id);

    await service.exportFilm(manifest.film_id);
    await service.filmSettled(manifest.film_id);

    expect(between).toMatchObject({ status: 'partial', scenes: [{ state: 'degraded' }] });
    expect((await service.exportInfo(manifest.film_id)).scenes[0]?.state).toBe('archived');
    expect(history(manifest.film_id).filter((line) => line === 'copy.verified 1 good')).toHaveLength(1);
    expect(history(manifest.film_id).filter((line) => line === 'copy.verified 1 bad')).toHaveLength(1);
  });

  it('under a new key when a scene gets another video; the old object stays as it is', async () => {
    const memory = new MemoryStorage('memory');
    const { service } = setting.service([memory]);
    const manifest = film([video(12)]);
    await service.saveFilm(manifest);
    await service.filmSettled(manifest.film_id);
    setting.source.replace(`/${manifest.film_id}/again.mp4`, video(13));

    const video_url = setting.source.url(`/${manifest.film_id}/again.mp4`);
    await service.saveFilm({ ...manifest, scenes: [{ scene_number: 1, video_url }] });
    await service.filmSettled(manifest.film_id);

    expect((await service.exportInfo(manifest.film_id)).scenes[0]).toMatchObject({
      state: 'archived',
      sha256: sha256(video(13)),
    });
    expect(sha256(await read(memory, `films/${manifest.film_id}/0001-r1.mp4`))).toBe(sha256(video(12)));
    expect(sha256(await read(memory, `films/${manifest.film_id}/0001-r2.mp4`))).toBe(sha256(video(13)));
  });

  it('by the next process when the first was stopped in the middle', async () => {
    const memory = new MemoryStorage('memory');
    const manifest = film([video(14)]);
    const path = `/${manifest.film_id}/1.mp4`;
    setting.source.fail(path, ['stall']);
    const first = setting.service([memory]);
    await first.service.saveFilm(manifest);
    await until(() => requestsFor(manifest) === 1);
    await first.queue.stop(0);
    const between = await first.service.exportInfo(manifest.film_id);

    const second = setting.service([memory]);
    await second.service.resume();
    await second.service.filmSettled(manifest.film_id);

    expect(between.scenes[0]?.state).toBe('archiving');
    expect((await second.service.exportInfo(manifest.film_id)).scenes[0]?.state).toBe('archived');
  });
});

describe('what fails', () => {
  it('is not lost for ever by one 404 that is taken back', async () => {
    const memory = new MemoryStorage('memory');
    const { service } = setting.service([memory]);
    const manifest = film([video(30)]);
    setting.source.fail(`/${manifest.film_id}/1.mp4`, [404]);
    await service.saveFilm(manifest);
    await service.filmSettled(manifest.film_id);
    const between = await service.exportInfo(manifest.film_id);

    await service.exportFilm(manifest.film_id);
    await service.filmSettled(manifest.film_id);

    expect(between.scenes[0]).toMatchObject({ state: 'lost', error: { code: 'SOURCE_EXPIRED' } });
    expect((await service.exportInfo(manifest.film_id)).scenes[0]).toMatchObject({ state: 'archived', error: null });
  });

  it('because its store is no longer configured leaves the other stores alone', async () => {
    const [one, two] = [new MemoryStorage('one'), new MemoryStorage('two')];
    const manifest = film([video(31)]);
    await setting.service([one, two]).service.saveFilm(manifest, { autoUpload: false });
    await setting.catalogue.wantCopies(manifest.film_id, { strategy: 'cloud', storages: ['one', 'two'] });

    const { service, defects } = setting.service([one]);
    await service.resume();
    await service.filmSettled(manifest.film_id);

    const { status, scenes } = await service.exportInfo(manifest.film_id);
    expect(defects).toEqual([]);
    expect(status).toBe('partial');
    expect(scenes[0]?.copies.map((copy) => [copy.storage, copy.state, copy.error?.code])).toEqual([
      ['one', 'verified', undefined],
      ['two', 'failed', 'UNKNOWN_STORAGE'],
    ]);
  });

  it('for a while is tried again by itself', async () => {
    const flaky = faultyStorage(new MemoryStorage('flaky'), {
      put: [{ failAfterBytes: 1000 }, { failAfterBytes: 1000 }],
    });
    const { service, history } = setting.service([flaky], { maxRuns: 3 });
    const manifest = film([video(32)]);

    await service.saveFilm(manifest);
    await service.filmSettled(manifest.film_id);

    expect((await service.exportInfo(manifest.film_id)).scenes[0]?.state).toBe('archived');
    expect(history(manifest.film_id).filter((line) => line.startsWith('copy.failed'))).toEqual([]);
    expect(history(manifest.film_id).filter((line) => line.startsWith('scene.settled'))).toHaveLength(1);
  }, 20_000);

  it('is told by the way that says more, when there are two ways to the source', async () => {
    const { service } = setting.service([new MemoryStorage('memory')]);
    const manifest = film([video(33)]);
    const path = `/${manifest.film_id}/1.mp4`;
    const html = new TextEncoder().encode('<!doctype html><title>Error</title>'.padEnd(2000));
    setting.source.replace(path, html);
    const prediction_id = 'unknownunknownunknownunknown';

    await service.saveFilm({ ...manifest, scenes: manifest.scenes.map((scene) => ({ ...scene, prediction_id })) });
    await service.filmSettled(manifest.film_id);

    const { scenes } = await service.exportInfo(manifest.film_id);
    expect(scenes[0]).toMatchObject({ state: 'failed', error: { code: 'NOT_A_VIDEO' } });
    expect(scenes[0]?.copies[0]?.error?.code).toBe('NOT_A_VIDEO');
  });
});

describe('a film that is only stored', () => {
  it('stays so, also at the next start, until an export asks for it', async () => {
    const memory = new MemoryStorage('memory');
    const { service } = setting.service([memory]);
    const manifest = film([video(34)]);
    await service.saveFilm(manifest, { autoUpload: false });

    await setting.service([memory]).service.resume();
    const before = await service.exportInfo(manifest.film_id);
    await service.exportFilm(manifest.film_id);
    await service.filmSettled(manifest.film_id);

    expect(before.status).toBe('pending');
    expect((await service.exportInfo(manifest.film_id)).status).toBe('completed');
  });
});

describe('playback', () => {
  it('takes a copy when Replicate cannot say where the video is', async () => {
    const { service } = setting.service([new MemoryStorage('memory')]);
    const { film_id } = film([]);
    const prediction_id = 'b1b2c3d4e5f6g7h8j9k0m1n2p3';
    const output = `data:video/mp4;base64,${Buffer.from(video(35)).toString('base64')}`;
    const created_at = new Date().toISOString();
    setting.predictions.set(prediction_id, { id: prediction_id, status: 'succeeded', output, created_at, input: {} });
    await service.saveFilm({ film_id, title: 'Inline', scenes: [{ scene_number: 1, prediction_id }] });
    await service.filmSettled(film_id);

    expect(await service.playback(film_id, 1)).toMatchObject({ via: 'copy', storage: 'memory' });
  });
});

describe('the strategies', () => {
  it('direct copies nothing and plays the source', async () => {
    const { service, history } = setting.service([new MemoryStorage('memory')]);
    const manifest = film([video(15)]);

    await service.saveFilm(manifest, { strategy: 'direct' });
    await service.filmSettled(manifest.film_id);

    expect(history(manifest.film_id)).toEqual([]);
    expect(await service.exportInfo(manifest.film_id)).toMatchObject({
      status: 'completed',
      storage_type: 'direct',
      cloud_storage_enabled: false,
      cloud_urls: [],
      replicate_urls: [manifest.scenes[0]?.video_url],
    });
    expect(await service.playback(manifest.film_id, 1)).toEqual({ via: 'direct', url: manifest.scenes[0]?.video_url });
  });

  it('cloud shows no source URL and plays nothing before a copy is verified', async () => {
    const { service } = setting.service([new MemoryStorage('memory')]);
    const manifest = film([video(16)]);
    await service.saveFilm(manifest, { strategy: 'cloud', autoUpload: false });

    const before = await service.exportInfo(manifest.film_id);
    const refused = service.playback(manifest.film_id, 1);

    expect(before).toMatchObject({ replicate_urls: [], cloud_urls: [], download_urls: [] });
    await expect(refused).rejects.toMatchObject({ code: 'NOT_ARCHIVED' });
    await service.exportFilm(manifest.film_id);
    await service.filmSettled(manifest.film_id);
    expect(await service.playback(manifest.film_id, 1)).toMatchObject({ via: 'copy', storage: 'memory' });
  });

  it('a direct film becomes an archive by export', async () => {
    const memory = new MemoryStorage('memory');
    const { service } = setting.service([memory]);
    const manifest = film([video(17)]);
    await service.saveFilm(manifest, { strategy: 'direct', storages: [] });

    await service.exportFilm(manifest.film_id, { strategy: 'cloud' });
    await service.filmSettled(manifest.film_id);

    expect((await service.exportInfo(manifest.film_id)).scenes[0]?.state).toBe('archived');
  });

  it.each([
    { title: 'a store that does not exist', wanted: { storages: ['nowhere'] }, code: 'UNKNOWN_STORAGE' },
    { title: 'a store that is read-only', wanted: { storages: ['replicate-direct'] }, code: 'UNSUPPORTED' },
    { title: 'cloud without any store', wanted: { strategy: 'cloud', storages: [] }, code: 'INVALID_EXPORT' },
    { title: 'a store named twice', wanted: { storages: ['memory', 'memory'] }, code: 'INVALID_EXPORT' },
  ] as const)('refuses $title and changes nothing', async ({ wanted, code }) => {
    const { service } = setting.service([new MemoryStorage('memory')]);
    const manifest = film([video(18)]);
    await service.saveFilm(manifest, { strategy: 'direct', storages: [] });

    await expect(service.exportFilm(manifest.film_id, wanted)).rejects.toMatchObject({ code });

    expect((await service.exportInfo(manifest.film_id)).storage_type).toBe('direct');
  });
});

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 10));
}
