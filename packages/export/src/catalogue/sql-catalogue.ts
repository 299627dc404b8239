import { and, asc, desc, eq, or, sql, type SQL } from 'drizzle-orm';
import type { Database } from '../database/database.ts';
import { copies, films, scenes } from '../database/schema.ts';
import type { Catalogue, CopyChange, FilmPage, SavedFilm, SceneContent } from './catalogue.ts';
import { formatCursor, parseCursor } from './film-cursor.ts';
import type { FilmRecord, NewFilm, RecordedError, SceneGap, SceneWithFilm, Strategy } from './film-record.ts';
import { toFilm, toScenes } from './film-rows.ts';
import { saveScenes } from './scene-writing.ts';

type Db = Database['db'];

const now = sql`now()`;
const COUNTS = sql`copies.state = 'verified' and copies.revision = scenes.revision`;

/** The catalogue in PostgreSQL. Times are the database's: processes on several machines agree on them. */
export class SqlCatalogue implements Catalogue {
  readonly #db: Db;

  constructor({ db }: Pick<Database, 'db'>) {
    this.#db = db;
  }

  saveFilm(film: NewFilm): Promise<SavedFilm> {
    const { id, strategy } = film;
    const title = storable(film.title);
    return this.#db.transaction(async (tx) => {
      // The conflict "changes" the title to itself. That locks the row: whoever saves the same film at the same moment
      // waits here, and then sees what we have made of it.
      const [stored] = await tx
        .insert(films)
        .values({ id, title, strategy, storages: unique(film.storages) })
        .onConflictDoUpdate({ target: films.id, set: { title: sql`${films.title}` } })
        .returning({ title: films.title, created: sql<boolean>`xmax = 0` });
      const created = stored?.created ?? false;
      const scenesChanged = await saveScenes(tx, film);
      const changed = created || scenesChanged || stored?.title !== title;
      if (changed && !created) await tx.update(films).set({ title, updatedAt: now }).where(eq(films.id, id));
      return { film: (await readFilm(tx, id)) as FilmRecord, created, changed };
    });
  }

  film(filmId: string): Promise<FilmRecord | undefined> {
    return readFilm(this.#db, filmId);
  }

  async films({ limit, before }: { limit: number; before?: string }): Promise<FilmPage> {
    const cursor = before === undefined ? undefined : parseCursor(before);
    const rows = await this.#db
      .select({
        id: films.id,
        title: films.title,
        strategy: films.strategy,
        storages: films.storages,
        createdAt: films.createdAt,
        sceneCount: sql<number>`(select count(*)::int from scenes where film_id = films.id)`,
        verifiedCopies: sql<number>`(select count(*)::int from scenes join copies on copies.scene_id = scenes.id
                                     where film_id = films.id and ${COUNTS})`,
        totalSize: sql<number>`(select coalesce(sum(size), 0)::float8 from scenes where film_id = films.id)`,
      })
      .from(films)
      .where(
        cursor &&
          sql`(${films.createdAt}, ${films.id}) < (${sql.param(cursor.createdAt, films.createdAt)}, ${cursor.id})`,
      )
      .orderBy(desc(films.createdAt), desc(films.id))
      .limit(limit + 1);
    const page = rows.slice(0, limit);
    const last = page.at(-1);
    return rows.length > limit && last ? { films: page, next: formatCursor(last) } : { films: page };
  }

  async wantCopies(
    filmId: string,
    { strategy, storages }: { strategy: Strategy; storages: readonly string[] },
  ): Promise<FilmRecord | undefined> {
    const wanted = { strategy, storages: unique(storages) };
    const differs = or(
      sql`${films.strategy} <> ${strategy}`,
      sql`${films.storages} <> ${sql.param(wanted.storages, films.storages)}`,
    );
    await this.#db
      .update(films)
      .set({ ...wanted, updatedAt: now })
      .where(and(eq(films.id, filmId), differs));
    return this.film(filmId);
  }

  scene(filmId: string, sceneNumber: number): Promise<SceneWithFilm | undefined> {
    return this.#readScene(and(eq(scenes.filmId, filmId), eq(scenes.sceneNumber, sceneNumber)));
  }

  sceneById(sceneId: number): Promise<SceneWithFilm | undefined> {
    return this.#readScene(eq(scenes.id, sceneId));
  }

  async scenesWithGaps({ limit }: { limit?: number } = {}): Promise<SceneGap[]> {
    const query = this.#db
      .select({
        sceneId: scenes.id,
        filmId: scenes.filmId,
        sceneNumber: scenes.sceneNumber,
        deadline: scenes.deadline,
      })
      .from(scenes)
      .innerJoin(films, eq(films.id, scenes.filmId))
      .where(
        sql`not ${scenes.placeholder} and ${films.strategy} <> 'direct' and exists (
              select from unnest(${films.storages}) as wanted (storage_id) where not exists (
                select from copies
                where copies.scene_id = scenes.id and copies.storage_id = wanted.storage_id
                  and copies.revision = scenes.revision and copies.state in ('verified', 'failed')))`,
      )
      // nulls last
      .orderBy(asc(scenes.deadline), asc(scenes.id));
    const rows = await (limit === undefined ? query : query.limit(limit));
    return rows.map(({ deadline, ...gap }) => (deadline ? { ...gap, deadline } : gap));
  }

  recordContent(sceneId: number, revision: number, { size, sha256, contentType }: SceneContent): Promise<boolean> {
    return this.#recordScene(sceneId, revision, { size, sha256, contentType });
  }

  recordSourceError(sceneId: number, revision: number, error: RecordedError | null): Promise<boolean> {
    return this.#recordScene(sceneId, revision, {
      sourceErrorCode: error?.code ?? null,
      sourceError: error ? storable(error.message) : null,
    });
  }

  recordDeadline(sceneId: number, revision: number, deadline: Date | null): Promise<boolean> {
    return this.#recordScene(sceneId, revision, { deadline });
  }

  recordCopy(sceneId: number, revision: number, storageId: string, change: CopyChange): Promise<boolean> {
    return this.#db.transaction(async (tx) => {
      // locked: the revision cannot move on before this is recorded, and two who record the same copy line up
      const scene = and(eq(scenes.id, sceneId), eq(scenes.revision, revision));
      const fence = await tx.select({ id: scenes.id }).from(scenes).where(scene).for('no key update');
      if (fence.length === 0) return false;
      const copy = and(eq(copies.sceneId, sceneId), eq(copies.storageId, storageId), eq(copies.revision, revision));
      const [stored] = await tx.select().from(copies).where(copy);
      if (stored?.state === 'verified' && (change.state === 'copying' || change.state === 'failed')) return false;
      const row = {
        revision,
        state: change.state,
        key: change.key ?? stored?.key ?? null,
        size: change.size ?? stored?.size ?? null,
        sha256: change.sha256 ?? stored?.sha256 ?? null,
        checksums: change.checksums ?? stored?.checksums ?? {},
        etag: change.etag ?? stored?.etag ?? null,
        attempts: (stored?.attempts ?? 0) + (change.countAttempt ? 1 : 0),
        errorCode: change.error?.code ?? null,
        errorMessage: change.error ? storable(change.error.message) : null,
        verifiedAt: change.verifiedAt ?? (change.state === 'verified' ? now : (stored?.verifiedAt ?? null)),
        updatedAt: now,
      };
      await tx
        .insert(copies)
        .values({ sceneId, storageId, ...row })
        .onConflictDoUpdate({ target: [copies.sceneId, copies.storageId, copies.revision], set: row });
      return true;
    });
  }

  async deleteFilm(filmId: string): Promise<boolean> {
    const { rowCount } = await this.#db.delete(films).where(eq(films.id, filmId));
    return rowCount === 1;
  }

  async #readScene(where: SQL | undefined): Promise<SceneWithFilm | undefined> {
    const rows = await joined(this.#db).where(where).orderBy(copies.storageId, copies.revision);
    const [film, scene] = [rows[0]?.film, toScenes(rows)[0]];
    return film && scene && { ...scene, film };
  }

  async #recordScene(sceneId: number, revision: number, change: Partial<typeof scenes.$inferInsert>): Promise<boolean> {
    const { rowCount } = await this.#db
      .update(scenes)
      .set({ ...change, updatedAt: now })
      .where(and(eq(scenes.id, sceneId), eq(scenes.revision, revision)));
    return rowCount === 1;
  }
}

/** One statement, so that film, scenes and copies are of one moment. */
const joined = (db: Pick<Db, 'select'>) =>
  db
    .select({ film: films, scene: scenes, copy: copies })
    .from(films)
    .leftJoin(scenes, eq(scenes.filmId, films.id))
    .leftJoin(copies, eq(copies.sceneId, scenes.id));

async function readFilm(db: Pick<Db, 'select'>, filmId: string): Promise<FilmRecord | undefined> {
  return toFilm(
    await joined(db).where(eq(films.id, filmId)).orderBy(scenes.sceneNumber, copies.storageId, copies.revision),
  );
}

const unique = (storages: readonly string[]): string[] => [...new Set(storages)];

/** PostgreSQL's text has no NUL and no half characters; what a foreign server answered may have both. */
const storable = (text: string): string => text.replaceAll('\0', '').toWellFormed();
