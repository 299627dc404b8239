import type { Checksums } from '@paradoxon/storage';
import type {
  CopyState,
  FilmRecord,
  FilmSummary,
  NewFilm,
  RecordedError,
  SceneGap,
  SceneWithFilm,
  Strategy,
} from './film-record.ts';

/**
 * Which films, scenes and copies there are. Every `record…` call is fenced: it names the scene's revision that it speaks
 * of, and does nothing and answers false when the scene has another one by now, or is gone.
 */
export interface Catalogue {
  /**
   * Stores a film, all of it or nothing. For an id that exists: the title follows, new scenes are added, scenes that are
   * not named stay, and strategy and storages stay as they are ({@link wantCopies} changes them). A scene whose `videoUrl` or
   * `predictionId` contradicts what is stored gets the next revision, and size, sha256, content type and source error are
   * cleared. What only adds to it (the URL of a known prediction, say) is filled in. The same content again changes nothing, at whatever
   * moment, from however many processes.
   */
  saveFilm(film: NewFilm): Promise<SavedFilm>;

  film(filmId: string): Promise<FilmRecord | undefined>;

  /**
   * The newest films first.
   * @param page `limit` at least 1; `before` is the `next` of the page before
   * @throws DatabaseError `INVALID_CURSOR`
   */
  films(page: { readonly limit: number; readonly before?: string }): Promise<FilmPage>;

  /** Restates what is wanted of a film. @returns undefined when there is no such film */
  wantCopies(
    filmId: string,
    wanted: { readonly strategy: Strategy; readonly storages: readonly string[] },
  ): Promise<FilmRecord | undefined>;

  scene(filmId: string, sceneNumber: number): Promise<SceneWithFilm | undefined>;
  sceneById(sceneId: number): Promise<SceneWithFilm | undefined>;

  /**
   * Scenes with work left: no placeholder, and some wanted copy neither verified nor failed for good. The earliest deadline
   * first, those without one last.
   */
  scenesWithGaps(options?: { readonly limit?: number }): Promise<readonly SceneGap[]>;

  recordContent(sceneId: number, revision: number, content: SceneContent): Promise<boolean>;

  /**
   * Creates or changes what is known of a scene's copy in a store. A `verified` copy is never made `copying` or `failed`
   * by a late loser of the same revision: that answers false too.
   */
  recordCopy(sceneId: number, revision: number, storageId: string, change: CopyChange): Promise<boolean>;

  recordSourceError(sceneId: number, revision: number, error: RecordedError | null): Promise<boolean>;
  recordDeadline(sceneId: number, revision: number, deadline: Date | null): Promise<boolean>;

  /** Forgets a film, its scenes and what is known of their copies; the copies themselves stay where they are. */
  deleteFilm(filmId: string): Promise<boolean>;
}

export interface SavedFilm {
  readonly film: FilmRecord;
  readonly created: boolean;
  /** Whether anything is different now; also true when created. */
  readonly changed: boolean;
}

export interface FilmPage {
  readonly films: readonly FilmSummary[];
  /** Present when there are more. Opaque. */
  readonly next?: string;
}

export interface SceneContent {
  /** Bytes. */
  readonly size: number;
  /** Lower-case hex. */
  readonly sha256: string;
  readonly contentType: string;
}

/** What is not given stays as it is within a revision, except `error`, which belongs to the state and goes with it. */
export interface CopyChange {
  readonly state: CopyState;
  readonly key?: string;
  /** Bytes. */
  readonly size?: number;
  /** Lower-case hex. */
  readonly sha256?: string;
  readonly checksums?: Checksums;
  readonly etag?: string;
  readonly error?: RecordedError;
  /** Now, when the state is `verified` and this is not given. */
  readonly verifiedAt?: Date;
  /** Adds one to `attempts`. */
  readonly countAttempt?: boolean;
}
