import { sql } from 'drizzle-orm';
import {
  bigint,
  boolean,
  check,
  doublePrecision,
  index,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  text,
  timestamp,
  unique,
} from 'drizzle-orm/pg-core';
import type { Checksums } from '@paradoxon/storage';
import type { CopyState, Strategy } from '../catalogue/film-record.ts';

/** Milliseconds, as a Date has: a finer time in the table would make the cursor of a page, which is a Date, skip rows. */
const moment = (name: string) => timestamp(name, { withTimezone: true, precision: 3 });
const bytes = (name: string) => bigint(name, { mode: 'number' });

export const films = pgTable(
  'films',
  {
    id: text('id').primaryKey(),
    title: text('title').notNull(),
    strategy: text('strategy').$type<Strategy>().notNull(),
    /** Store ids in which every scene should have a copy; none yet for a film that is only stored. */
    storages: text('storages').array().notNull(),
    createdAt: moment('created_at').notNull().defaultNow(),
    updatedAt: moment('updated_at').notNull().defaultNow(),
  },
  (table) => [
    check('films_strategy', sql`${table.strategy} in ('direct', 'cloud', 'hybrid')`),
    // read backwards: the newest first
    index('films_by_age').on(table.createdAt, table.id),
  ],
);

export const scenes = pgTable(
  'scenes',
  {
    id: bigint('id', { mode: 'number' }).primaryKey().generatedAlwaysAsIdentity(),
    filmId: text('film_id')
      .notNull()
      .references(() => films.id, { onDelete: 'cascade' }),
    sceneNumber: integer('scene_number').notNull(),
    videoUrl: text('video_url'),
    predictionId: text('prediction_id'),
    /** Seconds. */
    duration: doublePrecision('duration'),
    placeholder: boolean('placeholder').notNull(),
    revision: integer('revision').notNull().default(1),
    receivedAt: moment('received_at').notNull().defaultNow(),
    deadline: moment('deadline'),
    /** Bytes. */
    size: bytes('size'),
    sha256: text('sha256'),
    contentType: text('content_type'),
    sourceErrorCode: text('source_error_code'),
    sourceError: text('source_error'),
    updatedAt: moment('updated_at').notNull().defaultNow(),
  },
  (table) => [
    unique('scenes_film_number').on(table.filmId, table.sceneNumber),
    check(
      'scenes_source',
      sql`${table.placeholder} or ${table.videoUrl} is not null or ${table.predictionId} is not null`,
    ),
    check('scenes_size', sql`${table.size} >= 0`),
    check('scenes_source_error', sql`(${table.sourceErrorCode} is null) = (${table.sourceError} is null)`),
    // what is left to do, in the order in which it should be done
    index('scenes_by_deadline')
      .on(table.deadline.asc().nullsLast(), table.id)
      .where(sql`not ${table.placeholder}`),
  ],
);

export const copies = pgTable(
  'copies',
  {
    sceneId: bigint('scene_id', { mode: 'number' })
      .notNull()
      .references(() => scenes.id, { onDelete: 'cascade' }),
    storageId: text('storage_id').notNull(),
    /** The scene's revision that was copied; a copy of an earlier one does not count. */
    revision: integer('revision').notNull(),
    key: text('key'),
    state: text('state').$type<CopyState>().notNull(),
    /** Bytes. */
    size: bytes('size'),
    sha256: text('sha256'),
    checksums: jsonb('checksums').$type<Checksums>().notNull().default({}),
    etag: text('etag'),
    attempts: integer('attempts').notNull().default(0),
    errorCode: text('error_code'),
    errorMessage: text('error_message'),
    verifiedAt: moment('verified_at'),
    updatedAt: moment('updated_at').notNull().defaultNow(),
  },
  (table) => [
    // copies of earlier revisions stay known: their objects are still in the stores
    primaryKey({ columns: [table.sceneId, table.storageId, table.revision] }),
    check('copies_state', sql`${table.state} in ('copying', 'verified', 'failed', 'missing', 'corrupt')`),
    // a copy that counts can be found again, and somebody looked at it
    check(
      'copies_verified',
      sql`${table.state} <> 'verified' or (${table.key} is not null and ${table.verifiedAt} is not null)`,
    ),
    check('copies_size', sql`${table.size} >= 0`),
    check('copies_error', sql`(${table.errorCode} is null) = (${table.errorMessage} is null)`),
  ],
);
