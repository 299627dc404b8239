import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { SqlCatalogue } from '../src/catalogue/sql-catalogue.ts';
import type { NewFilm, NewScene, SceneRecord } from '../src/catalogue/film-record.ts';
import type { Database } from '../src/database/database.ts';
import { openDatabase } from '../src/database/database.ts';
import { temporaryFolder, type TemporaryFolder } from './temporary-folder.ts';

let folder: TemporaryFolder;
let embedded: Database;
let shared: Database;

beforeAll(async () => {
  folder = await temporaryFolder();
  embedded = await openDatabase({ folder: folder.path });
  shared = await openDatabase({ url: embedded.url });
}, 30_000);

afterAll(async () => {
  await shared.close();
  await embedded.close();
  await folder.remove();
});

beforeEach(() => embedded.pool.query('truncate films cascade'));

const sceneOf = (sceneNumber: number, more: Partial<NewScene> = {}): NewScene => ({
  sceneNumber,
  videoUrl: `https://replicate.delivery/${sceneNumber}.mp4`,
  placeholder: false,
  ...more,
});

const filmOf = (more: Partial<NewFilm> = {}): NewFilm => ({
  id: 'film-1',
  title: 'A film',
  strategy: 'hybrid',
  storages: ['s3', 'gcs'],
  scenes: [sceneOf(1), sceneOf(2)],
  ...more,
});

const content = { size: 4, sha256: 'ab'.repeat(32), contentType: 'video/mp4' };
const verified = { state: 'verified', key: 'films/1.mp4', size: 4 } as const;

describe.each([
  { place: 'a folder', database: () => embedded },
  { place: 'a url', database: () => shared },
])('the catalogue of a database opened by $place', ({ database }) => {
  const catalogue = () => new SqlCatalogue(database());
  const saved = async (film = filmOf()) => (await catalogue().saveFilm(film)).film;
  /** A scene that is there, without its film. */
  const scene = async (sceneNumber = 1): Promise<SceneRecord> => {
    const found = await catalogue().scene('film-1', sceneNumber);
    if (!found) throw new Error(`no scene ${sceneNumber}`);
    const { film: _, ...itself } = found;
    return itself;
  };

  describe('saving a film', () => {
    it('gives back what was saved, the scenes by number, and nothing that is not known', async () => {
      const deadline = new Date('2026-11-22T12:00:00.123Z');
      const film = filmOf({ scenes: [sceneOf(2, { duration: 4.5, deadline }), sceneOf(1, { predictionId: 'p1' })] });

      const result = await catalogue().saveFilm(film);

      expect(result).toMatchObject({ created: true, changed: true });
      expect(await catalogue().film('film-1')).toEqual(result.film);
      expect(result.film).toEqual({
        id: 'film-1',
        title: 'A film',
        strategy: 'hybrid',
        storages: ['s3', 'gcs'],
        createdAt: expect.any(Date),
        updatedAt: expect.any(Date),
        scenes: [
          {
            id: expect.any(Number),
            filmId: 'film-1',
            sceneNumber: 1,
            videoUrl: 'https://replicate.delivery/1.mp4',
            predictionId: 'p1',
            placeholder: false,
            revision: 1,
            receivedAt: expect.any(Date),
            copies: [],
          },
          {
            id: expect.any(Number),
            filmId: 'film-1',
            sceneNumber: 2,
            videoUrl: 'https://replicate.delivery/2.mp4',
            duration: 4.5,
            placeholder: false,
            revision: 1,
            receivedAt: expect.any(Date),
            deadline,
            copies: [],
          },
        ],
      });
    });

    it('changes nothing when the same film comes again, not even with a later deadline', async () => {
      const first = await saved(filmOf({ scenes: [sceneOf(1, { deadline: new Date(1_000) })] }));

      const again = await catalogue().saveFilm(filmOf({ scenes: [sceneOf(1, { deadline: new Date(9_000) })] }));

      expect(again).toEqual({ film: first, created: false, changed: false });
    });

    it('follows the title, adds new scenes, keeps the scenes that are not named, and leaves strategy and storages', async () => {
      const first = await saved();

      const again = await catalogue().saveFilm(
        filmOf({ title: 'Another title', strategy: 'cloud', storages: ['azure'], scenes: [sceneOf(3)] }),
      );

      expect(again).toMatchObject({ created: false, changed: true });
      expect(again.film).toMatchObject({ title: 'Another title', strategy: 'hybrid', storages: ['s3', 'gcs'] });
      expect(again.film.scenes.slice(0, 2)).toEqual(first.scenes);
      expect(again.film.scenes.map((each) => each.sceneNumber)).toEqual([1, 2, 3]);
    });

    it.each([
      { what: 'another URL', posted: { videoUrl: 'https://replicate.delivery/new.mp4' } },
      { what: 'another prediction', posted: { predictionId: 'p2' } },
      { what: 'a placeholder', posted: { videoUrl: 'placeholder.mp4', placeholder: true } },
    ])('starts the next revision of a scene that comes with $what, and forgets what was known', async ({ posted }) => {
      await saved(filmOf({ scenes: [sceneOf(1, { predictionId: 'p1', deadline: new Date(1_000) }), sceneOf(2)] }));
      const before = await scene();
      await catalogue().recordContent(before.id, 1, content);
      await catalogue().recordSourceError(before.id, 1, { code: 'NETWORK', message: 'broke' });
      await catalogue().recordCopy(before.id, 1, 's3', verified);
      const untouched = await scene(2);

      const { changed } = await catalogue().saveFilm(
        filmOf({ scenes: [sceneOf(1, { predictionId: 'p1', deadline: new Date(5_000), ...posted }), sceneOf(2)] }),
      );

      const after = await scene();
      expect(changed).toBe(true);
      expect(after).toMatchObject({ ...posted, id: before.id, revision: 2, deadline: new Date(5_000) });
      expect(after.receivedAt.getTime()).toBeGreaterThanOrEqual(before.receivedAt.getTime());
      expect(after).not.toHaveProperty('size');
      expect(after).not.toHaveProperty('sha256');
      expect(after).not.toHaveProperty('contentType');
      expect(after).not.toHaveProperty('sourceError');
      expect(after.copies).toMatchObject([{ storageId: 's3', revision: 1, state: 'verified' }]);
      expect(await scene(2)).toEqual(untouched);
    });

    it('fills in the URL of a known prediction, and keeps it when the prediction alone comes again', async () => {
      const byPrediction = { sceneNumber: 1, predictionId: 'p1', placeholder: false };
      await saved(filmOf({ scenes: [byPrediction] }));
      const before = await scene();
      await catalogue().recordCopy(before.id, 1, 's3', verified);
      await catalogue().recordSourceError(before.id, 1, { code: 'SOURCE_NOT_READY', message: 'not yet' });

      const more = await catalogue().saveFilm(filmOf({ scenes: [sceneOf(1, { predictionId: 'p1', duration: 3 })] }));
      const less = await catalogue().saveFilm(filmOf({ scenes: [byPrediction] }));

      expect([more.changed, less.changed]).toEqual([true, false]);
      const { sourceError: _, ...rest } = before;
      const added = { videoUrl: 'https://replicate.delivery/1.mp4', duration: 3 };
      expect(await scene()).toEqual({
        ...rest,
        ...added,
        copies: [expect.objectContaining({ state: 'verified' })],
      });
    });

    it('takes a scene of which nothing is in common for another source', async () => {
      await saved();

      await catalogue().saveFilm(filmOf({ scenes: [{ sceneNumber: 1, predictionId: 'p1', placeholder: false }] }));

      const after = await scene();
      expect(after).toMatchObject({ predictionId: 'p1', revision: 2 });
      expect(after).not.toHaveProperty('videoUrl');
    });

    it('makes one film of the same one saved twenty times at once, and says once that it was created', async () => {
      const results = await Promise.all(
        Array.from({ length: 20 }, (_, n) => new SqlCatalogue(n % 2 ? embedded : shared).saveFilm(filmOf())),
      );

      expect(results.filter((each) => each.created)).toHaveLength(1);
      expect(results.filter((each) => each.changed)).toHaveLength(1);
      for (const { film } of results) expect(film).toEqual(results[0]?.film);
    });

    it('raises the revision once when ten bring the same new source at once', async () => {
      await saved();

      const film = filmOf({ scenes: [sceneOf(1, { videoUrl: 'https://replicate.delivery/new.mp4' }), sceneOf(2)] });
      const results = await Promise.all(Array.from({ length: 10 }, () => catalogue().saveFilm(film)));

      expect(results.filter((each) => each.changed)).toHaveLength(1);
      expect((await scene()).revision).toBe(2);
    });

    it('saves all or nothing', async () => {
      const broken = filmOf({ scenes: [sceneOf(1), { sceneNumber: 2, placeholder: false }] });

      await expect(catalogue().saveFilm(broken)).rejects.toThrow();

      expect(await catalogue().film('film-1')).toBeUndefined();
    });

    it('keeps what is recorded about a scene while the film is saved again', async () => {
      const { id } = (await saved()).scenes[0] as SceneRecord;
      const film = filmOf({ scenes: [sceneOf(1, { duration: 2 }), sceneOf(2)] });

      const [recorded] = await Promise.all([catalogue().recordContent(id, 1, content), catalogue().saveFilm(film)]);

      expect(recorded).toBe(true);
      expect(await scene()).toMatchObject({ ...content, duration: 2 });
    });

    it('saves, reads and lists a film of 1,000 scenes in less than two seconds', async () => {
      const film = filmOf({ scenes: Array.from({ length: 1_000 }, (_, n) => sceneOf(n + 1)) });
      const start = performance.now();

      const { created } = await catalogue().saveFilm(film);
      const { changed } = await catalogue().saveFilm({
        ...film,
        scenes: film.scenes.map((s) => ({ ...s, predictionId: 'p' })),
      });
      const gaps = await catalogue().scenesWithGaps();
      const page = await catalogue().films({ limit: 10 });

      expect([created, changed, gaps.length, page.films[0]?.sceneCount]).toEqual([true, true, 1_000, 1_000]);
      expect(performance.now() - start).toBeLessThan(2_000);
    });

    it('stores text that PostgreSQL has no characters for', async () => {
      const result = await catalogue().saveFilm(filmOf({ title: 'a\0b\ud800c' }));

      expect(result.film.title).toBe('ab\ufffdc');
    });
  });

  describe('recording', () => {
    it('is refused, and changes nothing, once the scene has another revision', async () => {
      const { id } = (await saved()).scenes[0] as SceneRecord;
      await catalogue().saveFilm(filmOf({ scenes: [sceneOf(1, { videoUrl: 'https://replicate.delivery/new.mp4' })] }));
      const before = await scene();

      const answers = [
        await catalogue().recordContent(id, 1, content),
        await catalogue().recordSourceError(id, 1, { code: 'NETWORK', message: 'broke' }),
        await catalogue().recordDeadline(id, 1, new Date()),
        await catalogue().recordCopy(id, 1, 's3', verified),
        await catalogue().recordCopy(id, 3, 's3', verified),
        await catalogue().recordCopy(id + 1_000, 1, 's3', verified),
      ];

      expect(answers).toEqual([false, false, false, false, false, false]);
      expect(await scene()).toEqual(before);
    });

    it('keeps content, deadline and source error, and takes the error back', async () => {
      const { id } = (await saved()).scenes[0] as SceneRecord;
      const sourceError = { code: 'SOURCE_EXPIRED', message: 'It is gone.\0' };

      await catalogue().recordContent(id, 1, { ...content, size: 5_000_000_000 });
      await catalogue().recordDeadline(id, 1, new Date(7_000));
      await catalogue().recordSourceError(id, 1, sourceError);
      const bad = await scene();
      await catalogue().recordSourceError(id, 1, null);
      await catalogue().recordDeadline(id, 1, null);
      const good = await scene();

      expect(bad).toMatchObject({ ...content, size: 5_000_000_000, deadline: new Date(7_000) });
      expect(bad.sourceError).toEqual({ code: 'SOURCE_EXPIRED', message: 'It is gone.' });
      expect(good).not.toHaveProperty('sourceError');
      expect(good).not.toHaveProperty('deadline');
    });

    it('follows a copy from its first attempt to its verification', async () => {
      const { id } = (await saved()).scenes[0] as SceneRecord;

      await catalogue().recordCopy(id, 1, 's3', { state: 'copying', key: 'k', countAttempt: true });
      await catalogue().recordCopy(id, 1, 's3', { state: 'failed', error: { code: 'TIMEOUT', message: 'slow' } });
      const failed = (await scene()).copies;
      await catalogue().recordCopy(id, 1, 's3', { state: 'copying', countAttempt: true });
      await catalogue().recordCopy(id, 1, 's3', { state: 'verified', size: 4, checksums: { md5: 'm' }, etag: '"e"' });

      expect(failed).toEqual([
        {
          storageId: 's3',
          key: 'k',
          revision: 1,
          state: 'failed',
          checksums: {},
          attempts: 1,
          error: { code: 'TIMEOUT', message: 'slow' },
          updatedAt: expect.any(Date),
        },
      ]);
      expect((await scene()).copies).toEqual([
        {
          storageId: 's3',
          key: 'k',
          revision: 1,
          state: 'verified',
          size: 4,
          checksums: { md5: 'm' },
          etag: '"e"',
          attempts: 2,
          verifiedAt: expect.any(Date),
          updatedAt: expect.any(Date),
        },
      ]);
    });

    it('lets no late loser turn a verified copy into a failed one, but a scrub into a missing one', async () => {
      const { id } = (await saved()).scenes[0] as SceneRecord;
      await catalogue().recordCopy(id, 1, 's3', { ...verified, verifiedAt: new Date(1_000) });
      const before = (await scene()).copies;

      const late = [
        await catalogue().recordCopy(id, 1, 's3', { state: 'copying', countAttempt: true }),
        await catalogue().recordCopy(id, 1, 's3', { state: 'failed', error: { code: 'NETWORK', message: 'broke' } }),
      ];
      const afterLate = (await scene()).copies;
      const scrub = await catalogue().recordCopy(id, 1, 's3', { state: 'missing' });

      expect(late).toEqual([false, false]);
      expect(afterLate).toEqual(before);
      expect(scrub).toBe(true);
      expect((await scene()).copies).toMatchObject([
        { state: 'missing', key: 'films/1.mp4', verifiedAt: new Date(1_000) },
      ]);
    });

    it('starts anew with the copy of the next revision, and still knows the old one', async () => {
      const { id } = (await saved()).scenes[0] as SceneRecord;
      await catalogue().recordCopy(id, 1, 's3', { ...verified, countAttempt: true, etag: '"old"' });
      await catalogue().saveFilm(filmOf({ scenes: [sceneOf(1, { videoUrl: 'https://replicate.delivery/new.mp4' })] }));

      const recorded = await catalogue().recordCopy(id, 2, 's3', { state: 'copying', countAttempt: true });

      expect(recorded).toBe(true);
      expect((await scene()).copies).toEqual([
        expect.objectContaining({ storageId: 's3', revision: 1, state: 'verified', key: verified.key }),
        { storageId: 's3', revision: 2, state: 'copying', checksums: {}, attempts: 1, updatedAt: expect.any(Date) },
      ]);
    });

    it('counts every attempt of many at once', async () => {
      const { id } = (await saved()).scenes[0] as SceneRecord;

      await Promise.all(
        Array.from({ length: 10 }, () => catalogue().recordCopy(id, 1, 's3', { state: 'copying', countAttempt: true })),
      );

      expect((await scene()).copies).toMatchObject([{ attempts: 10 }]);
    });
  });

  describe('scenes with gaps', () => {
    const gapsOf = async (options?: { limit: number }) =>
      (await catalogue().scenesWithGaps(options)).map((each) => each.sceneNumber);

    it('come with the earliest deadline first and those without one last', async () => {
      await saved(
        filmOf({
          scenes: [sceneOf(1), sceneOf(2, { deadline: new Date(2_000) }), sceneOf(3, { deadline: new Date(1_000) })],
        }),
      );

      const gaps = await catalogue().scenesWithGaps();

      expect(gaps).toEqual([
        { sceneId: expect.any(Number), filmId: 'film-1', sceneNumber: 3, deadline: new Date(1_000) },
        { sceneId: expect.any(Number), filmId: 'film-1', sceneNumber: 2, deadline: new Date(2_000) },
        { sceneId: expect.any(Number), filmId: 'film-1', sceneNumber: 1 },
      ]);
      expect(await gapsOf({ limit: 1 })).toEqual([3]);
    });

    it('leave out placeholders and the films that want no copies', async () => {
      await saved(filmOf({ scenes: [sceneOf(1, { videoUrl: 'placeholder.mp4', placeholder: true }), sceneOf(2)] }));
      await saved(filmOf({ id: 'film-2', strategy: 'direct', scenes: [sceneOf(7)] }));

      expect(await gapsOf()).toEqual([2]);
    });

    it('close when every wanted copy of this revision is verified, and open again for a new store, source or loss', async () => {
      const { id } = (await saved(filmOf({ scenes: [sceneOf(1)] }))).scenes[0] as SceneRecord;

      await catalogue().recordCopy(id, 1, 's3', verified);
      expect(await gapsOf()).toEqual([1]);
      await catalogue().recordCopy(id, 1, 'gcs', verified);
      expect(await gapsOf()).toEqual([]);

      await catalogue().recordCopy(id, 1, 'gcs', { state: 'corrupt' });
      expect(await gapsOf()).toEqual([1]);
      await catalogue().wantCopies('film-1', { strategy: 'cloud', storages: ['s3'] });
      expect(await gapsOf()).toEqual([]);

      await catalogue().wantCopies('film-1', { strategy: 'cloud', storages: ['s3', 'azure'] });
      expect(await gapsOf()).toEqual([1]);
      await catalogue().wantCopies('film-1', { strategy: 'direct', storages: ['s3', 'azure'] });
      expect(await gapsOf()).toEqual([]);

      await catalogue().wantCopies('film-1', { strategy: 'cloud', storages: ['s3'] });
      await catalogue().saveFilm(filmOf({ scenes: [sceneOf(1, { videoUrl: 'https://replicate.delivery/new.mp4' })] }));
      expect(await gapsOf()).toEqual([1]);
    });
  });

  describe('films', () => {
    it('come in pages, the newest first, each exactly once, also where many have one age', async () => {
      for (let n = 0; n < 11; n++) await saved(filmOf({ id: `film-${String(n).padStart(2, '0')}` }));
      await database().pool.query(`update films set created_at = '2026-01-01' where id > 'film-02'`);
      await database().pool.query(`update films set created_at = '2026-01-02' where id = 'film-05'`);
      await database().pool.query(`update films set created_at = '2025-01-01' where id <= 'film-02'`);

      const seen: string[][] = [];
      for (let before: string | undefined, more = true; more; more = before !== undefined) {
        const page = await catalogue().films({ limit: 3, ...(before === undefined ? {} : { before }) });
        seen.push(page.films.map((film) => film.id.slice(5)));
        before = page.next;
      }

      expect(seen).toEqual([
        ['05', '10', '09'],
        ['08', '07', '06'],
        ['04', '03', '02'],
        ['01', '00'],
      ]);
    });

    it('have no next page when the last one is just full', async () => {
      await saved();

      expect(await catalogue().films({ limit: 1 })).not.toHaveProperty('next');
    });

    it('are summed up: scenes, verified copies of what they are now, bytes', async () => {
      const { scenes } = await saved();
      for (const { id } of scenes) await catalogue().recordContent(id, 1, { ...content, size: 3_000_000_000 });
      for (const { id } of scenes) await catalogue().recordCopy(id, 1, 's3', verified);
      await catalogue().recordCopy((scenes[0] as SceneRecord).id, 1, 'gcs', { state: 'failed' });
      await saved(filmOf({ id: 'film-2', scenes: [] }));
      await catalogue().saveFilm(filmOf({ scenes: [sceneOf(2, { videoUrl: 'https://replicate.delivery/new.mp4' })] }));

      const { films } = await catalogue().films({ limit: 10 });

      expect(films).toEqual([
        expect.objectContaining({ id: 'film-2', sceneCount: 0, verifiedCopies: 0, totalSize: 0 }),
        {
          id: 'film-1',
          title: 'A film',
          strategy: 'hybrid',
          storages: ['s3', 'gcs'],
          createdAt: expect.any(Date),
          sceneCount: 2,
          verifiedCopies: 1,
          totalSize: 3_000_000_000,
        },
      ]);
    });

    it.each(['', 'nonsense', Buffer.from('2026-13-99 x').toString('base64url')])(
      'refuse the cursor %j that is not ours',
      async (before) => {
        await expect(catalogue().films({ limit: 1, before })).rejects.toMatchObject({ code: 'INVALID_CURSOR' });
      },
    );

    it('know nothing of what is not there', async () => {
      expect(await catalogue().film('none')).toBeUndefined();
      expect(await catalogue().scene('none', 1)).toBeUndefined();
      expect(await catalogue().sceneById(0)).toBeUndefined();
      expect(await catalogue().wantCopies('none', { strategy: 'direct', storages: [] })).toBeUndefined();
      expect(await catalogue().deleteFilm('none')).toBe(false);
    });

    it('restate what is wanted, a store named twice once, and say when that was new', async () => {
      const before = await saved();

      const same = await catalogue().wantCopies('film-1', { strategy: 'hybrid', storages: ['s3', 'gcs', 's3'] });
      const other = await catalogue().wantCopies('film-1', { strategy: 'cloud', storages: ['azure', 'azure'] });

      expect(same).toEqual(before);
      expect(other).toMatchObject({ strategy: 'cloud', storages: ['azure'], scenes: before.scenes });
    });

    it('go with all that belongs to them', async () => {
      const { scenes } = await saved();
      const { id } = scenes[0] as SceneRecord;
      await catalogue().recordCopy(id, 1, 's3', verified);

      expect(await catalogue().deleteFilm('film-1')).toBe(true);

      expect(await catalogue().film('film-1')).toBeUndefined();
      expect(await catalogue().sceneById(id)).toBeUndefined();
      expect(await catalogue().recordCopy(id, 1, 's3', verified)).toBe(false);
    });
  });

  it('finds a scene by its id and by its number, with its film and its copies', async () => {
    const film = await saved();
    const { id } = film.scenes[1] as SceneRecord;
    await catalogue().recordCopy(id, 1, 's3', verified);
    await catalogue().recordCopy(id, 1, 'gcs', { state: 'copying' });

    const found = await catalogue().sceneById(id);

    const { scenes: _, ...itsFilm } = film;
    expect(found).toMatchObject({
      id,
      sceneNumber: 2,
      film: itsFilm,
      copies: [{ storageId: 'gcs' }, { storageId: 's3' }],
    });
    expect(await catalogue().scene('film-1', 2)).toEqual(found);
  });
});
