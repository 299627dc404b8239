import type { Checksums } from '@paradoxon/storage';

/** Which copies of a film's scenes should exist: none (`direct`), or one in every listed store (`cloud`, `hybrid`). */
export type Strategy = 'direct' | 'cloud' | 'hybrid';

/**
 * What is known of one copy. `missing` and `corrupt` were verified once and are no longer what they were.
 * Only `verified` counts, and only when the copy's revision is the scene's.
 */
export type CopyState = 'copying' | 'verified' | 'failed' | 'missing' | 'corrupt';

/** Why a copy or a source failed: a stable code (storage's vocabulary) and a sentence for people. */
export interface RecordedError {
  readonly code: string;
  readonly message: string;
}

/** A film as posted. */
export interface NewFilm {
  readonly id: string;
  readonly title: string;
  readonly strategy: Strategy;
  /** Store ids in which every scene should have a copy. */
  readonly storages: readonly string[];
  /** At most 4,000, each number once. */
  readonly scenes: readonly NewScene[];
}

export interface NewScene {
  readonly sceneNumber: number;
  readonly videoUrl?: string;
  readonly predictionId?: string;
  /** Seconds. */
  readonly duration?: number;
  /** Kept and shown, never fetched. */
  readonly placeholder: boolean;
  /** When the source disappears. */
  readonly deadline?: Date;
}

export interface FilmRecord {
  readonly id: string;
  readonly title: string;
  readonly strategy: Strategy;
  readonly storages: readonly string[];
  readonly createdAt: Date;
  readonly updatedAt: Date;
  /** By number. */
  readonly scenes: readonly SceneRecord[];
}

export interface SceneRecord {
  readonly id: number;
  readonly filmId: string;
  readonly sceneNumber: number;
  readonly videoUrl?: string;
  readonly predictionId?: string;
  /** Seconds. */
  readonly duration?: number;
  readonly placeholder: boolean;
  /** Rises by one each time the scene gets another source. */
  readonly revision: number;
  /** When this revision's source was told to us. */
  readonly receivedAt: Date;
  readonly deadline?: Date;
  /** Bytes. */
  readonly size?: number;
  /** Lower-case hex. */
  readonly sha256?: string;
  readonly contentType?: string;
  readonly sourceError?: RecordedError;
  /** By store id, then revision; those of earlier revisions are still listed. */
  readonly copies: readonly CopyRecord[];
}

export interface CopyRecord {
  readonly storageId: string;
  readonly key?: string;
  /** The scene's revision that was copied. */
  readonly revision: number;
  readonly state: CopyState;
  /** Bytes. */
  readonly size?: number;
  /** Lower-case hex. */
  readonly sha256?: string;
  readonly checksums: Checksums;
  readonly etag?: string;
  /** Counted for this revision. */
  readonly attempts: number;
  readonly error?: RecordedError;
  readonly verifiedAt?: Date;
  readonly updatedAt: Date;
}

/** A scene with the film that it belongs to. */
export type SceneWithFilm = SceneRecord & { readonly film: Omit<FilmRecord, 'scenes'> };

/** One row of a list of films. */
export interface FilmSummary {
  readonly id: string;
  readonly title: string;
  readonly strategy: Strategy;
  readonly storages: readonly string[];
  readonly createdAt: Date;
  readonly sceneCount: number;
  /** Verified copies of the scenes' current revisions, in all stores. */
  readonly verifiedCopies: number;
  /** Bytes of the scenes whose size is known, each counted once. */
  readonly totalSize: number;
}

/** A scene of which some wanted copy is not verified. */
export interface SceneGap {
  readonly sceneId: number;
  readonly filmId: string;
  readonly sceneNumber: number;
  readonly deadline?: Date;
}
