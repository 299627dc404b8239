import type { copies, films, scenes } from '../database/schema.ts';
import type { CopyRecord, FilmRecord, RecordedError, SceneRecord } from './film-record.ts';

export type FilmRow = typeof films.$inferSelect;
export type SceneRow = typeof scenes.$inferSelect;
export type CopyRow = typeof copies.$inferSelect;

/** One row of films ⟕ scenes ⟕ copies. */
export interface JoinedRow {
  readonly film: FilmRow;
  readonly scene: SceneRow | null;
  readonly copy: CopyRow | null;
}

/** @param rows all of one film, ordered by scene number, then store */
export function toFilm(rows: readonly JoinedRow[]): FilmRecord | undefined {
  const film = rows[0]?.film;
  return film && { ...film, scenes: toScenes(rows) };
}

/** @param rows ordered by scene, then store */
export function toScenes(rows: readonly JoinedRow[]): SceneRecord[] {
  const found = new Map<number, { scene: SceneRow; copies: CopyRecord[] }>();
  for (const { scene, copy } of rows) {
    if (scene === null) continue;
    const entry = found.get(scene.id) ?? { scene, copies: [] };
    found.set(scene.id, entry);
    if (copy !== null) entry.copies.push(toCopy(copy));
  }
  return [...found.values()].map(({ scene, copies }) => toScene(scene, copies));
}

function toScene(row: SceneRow, copies: readonly CopyRecord[]): SceneRecord {
  const { sourceErrorCode, sourceError, updatedAt: _, ...scene } = row;
  return { ...withoutNulls(scene), ...error('sourceError', sourceErrorCode, sourceError), copies };
}

function toCopy(row: CopyRow): CopyRecord {
  const { sceneId: _, errorCode, errorMessage, ...copy } = row;
  return { ...withoutNulls(copy), ...error('error', errorCode, errorMessage) };
}

const error = <Name extends string>(name: Name, code: string | null, message: string | null) =>
  (code === null || message === null ? {} : { [name]: { code, message } }) as { [K in Name]?: RecordedError };

/** What a table calls null, a record leaves out. */
type WithoutNulls<Row> = { [K in keyof Row as null extends Row[K] ? never : K]: Row[K] } & {
  [K in keyof Row as null extends Row[K] ? K : never]?: Exclude<Row[K], null>;
};

const withoutNulls = <Row extends object>(row: Row): WithoutNulls<Row> =>
  Object.fromEntries(Object.entries(row).filter(([, value]) => value !== null)) as WithoutNulls<Row>;
