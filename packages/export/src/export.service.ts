import { StorageError, type StoragePlugin } from '@paradoxon/storage';
import type { StorageRegistry } from '@paradoxon/storage/nest';
import type { Catalogue, FilmPage } from './catalogue/catalogue.ts';
import type { FilmRecord, NewScene, SceneRecord, Strategy } from './catalogue/film-record.ts';
import { ExportError } from './export-error.ts';
import { exportInfo, type ExportInfo } from './films/export-info.ts';
import { filmIdOf, type FilmManifest, filmManifestSchema, isPlaceholder } from './films/film-manifest.ts';
import { noPlace, type Place, placesOf } from './films/playback.ts';
import { isPending, wantedStorages } from './films/scene-state.ts';
import type { ArchiveQueue } from './jobs/archive-queue.ts';

export interface ExportServiceOptions {
  /** Of films that are saved without saying otherwise. */
  readonly strategy: Strategy;
  /** Stores of films that are saved without saying otherwise; the preferred to play from first. */
  readonly storages: readonly string[];
  /** The id of the store that a caller's name means; the name itself, if absent. */
  readonly storageName?: (name: string) => string;
  /** Id of the plugin that reads direct URLs. */
  readonly directId: string;
  /** How long a direct URL lives from when it was posted, minutes. */
  readonly retentionMinutes: number;
  /** Where this service's HTTP API is reached, without a trailing slash; absent where there is none. */
  readonly publicUrl?: string;
}

export type Playback = { readonly via: 'direct'; readonly url: string } | Extract<Place, { via: 'copy' }>;

export interface WantedExport {
  readonly strategy?: Strategy | undefined;
  readonly storages?: readonly string[] | undefined;
}

export class ExportService {
  readonly #catalogue: Catalogue;
  readonly #registry: StorageRegistry;
  readonly #queue: ArchiveQueue;
  readonly #options: ExportServiceOptions;

  constructor(catalogue: Catalogue, registry: StorageRegistry, queue: ArchiveQueue, options: ExportServiceOptions) {
    this.#catalogue = catalogue;
    this.#registry = registry;
    this.#queue = queue;
    this.#options = options;
    this.#assertStorages(options.strategy, options.storages);
  }

  /**
   * Stores a film and, unless told otherwise, starts to archive it. The same film again changes nothing; a scene with
   * another video becomes a new revision and is archived anew.
   *
   * @param wanted overrides the configured strategy and stores; for a known film it restates what is wanted
   * @throws ExportError `INVALID_FILM`, `INVALID_EXPORT`; StorageError `UNKNOWN_STORAGE`
   */
  async saveFilm(
    manifest: FilmManifest,
    wanted: WantedExport & { autoUpload?: boolean } = {},
  ): Promise<{ film: FilmRecord; created: boolean; changed: boolean }> {
    const checked = filmManifestSchema.safeParse(manifest);
    if (!checked.success) {
      const [issue] = checked.error.issues;
      throw new ExportError('INVALID_FILM', `${issue?.path.join('.') || 'film'}: ${issue?.message ?? 'invalid'}`);
    }
    const { strategy = this.#options.strategy } = wanted;
    const storages = this.#idsOf(wanted.storages) ?? this.#options.storages;
    this.#assertStorages(strategy, storages);
    const autoUpload = wanted.autoUpload ?? true;
    const saved = await this.#catalogue.saveFilm({
      id: checked.data.film_id ?? filmIdOf(checked.data),
      title: checked.data.title,
      strategy,
      // nothing is wanted of a film that is only to be stored: no later start archives it by itself
      storages: autoUpload ? storages : [],
      scenes: checked.data.scenes.map((scene) => this.#newScene(scene)),
    });
    if (!autoUpload) return saved;
    const restated = !saved.created && (wanted.strategy ?? wanted.storages) !== undefined;
    const film = restated || isPending(saved.film) ? await this.#want(saved.film, wanted) : saved.film;
    this.#enqueue(film, { recheck: !saved.created });
    return { ...saved, film };
  }

  /** @throws ExportError `FILM_NOT_FOUND` */
  async film(filmId: string): Promise<FilmRecord> {
    const film = await this.#catalogue.film(filmId);
    if (film) return film;
    throw new ExportError('FILM_NOT_FOUND', `No film "${filmId}".`);
  }

  /** Newest first. */
  films(page: { limit: number; before?: string }): Promise<FilmPage> {
    return this.#catalogue.films(page);
  }

  /** (Re)states what is wanted and converges; copies already recorded are asked for first. */
  async exportFilm(filmId: string, wanted: WantedExport = {}): Promise<FilmRecord> {
    const film = await this.#want(await this.film(filmId), wanted);
    this.#enqueue(film, { recheck: true });
    return film;
  }

  async exportInfo(filmId: string): Promise<ExportInfo> {
    const { publicUrl } = this.#options;
    return exportInfo(await this.film(filmId), {
      registry: this.#registry,
      now: new Date(),
      ...(publicUrl === undefined
        ? {}
        : { playbackUrl: (id: string, scene: number) => `${publicUrl}/v1/films/${id}/scenes/${scene}/video` }),
    });
  }

  /**
   * Where a scene plays from now: a direct URL, issued for this answer, or a verified copy. A direct URL that cannot be
   * issued gives way to a copy, where there is one.
   * @throws ExportError `FILM_NOT_FOUND`, `SCENE_NOT_FOUND`, `PLACEHOLDER`, `NOT_ARCHIVED`, `NOTHING_PLAYABLE`; StorageError
   *   when Replicate cannot be asked and there is no copy
   */
  async playback(filmId: string, sceneNumber: number): Promise<Playback> {
    const film = await this.film(filmId);
    const scene = film.scenes.find((each) => each.sceneNumber === sceneNumber);
    if (!scene) throw new ExportError('SCENE_NOT_FOUND', `Film "${filmId}" has no scene ${sceneNumber}.`);
    const now = new Date();
    const order = this.#registry.all().map((store) => store.id);
    let refused: StorageError | undefined;
    for (const place of placesOf(film, scene, order, now)) {
      if (place.via === 'copy') return place;
      try {
        const { url } = await this.#registry.get(this.#options.directId).resolveUrl(place.source);
        return { via: 'direct', url };
      } catch (error) {
        refused = StorageError.from(error);
        const { code, message } = refused;
        if (code === 'SOURCE_EXPIRED') {
          await this.#catalogue.recordSourceError(scene.id, scene.revision, { code, message });
        }
      }
    }
    throw refused ?? noPlace(film, scene, now);
  }

  /** Adds a store at run time; films want it once an export names it. */
  enableStorage(store: StoragePlugin): void {
    this.#registry.add(store);
  }

  /** Resolves when this process does nothing for the film any more. */
  filmSettled(filmId: string): Promise<void> {
    return this.#queue.filmSettled(filmId);
  }

  /** Takes up what an earlier process left undone. @returns scenes enqueued */
  async resume(): Promise<number> {
    const gaps = await this.#catalogue.scenesWithGaps({});
    for (const gap of gaps) this.#queue.add(gap);
    return gaps.length;
  }

  async #want(film: FilmRecord, wanted: WantedExport): Promise<FilmRecord> {
    const strategy = wanted.strategy ?? film.strategy;
    // a film that was only stored, or saved as `direct`, wanted no store: archiving it takes the configured ones
    const storages =
      this.#idsOf(wanted.storages) ?? (film.storages.length > 0 ? film.storages : this.#options.storages);
    this.#assertStorages(strategy, storages);
    if (strategy === film.strategy && storages.join() === film.storages.join()) return film;
    const restated = await this.#catalogue.wantCopies(film.id, { strategy, storages });
    if (restated) return restated;
    throw new ExportError('FILM_NOT_FOUND', `No film "${film.id}".`);
  }

  #enqueue(film: FilmRecord, options: { recheck: boolean }): void {
    if (wantedStorages(film).length === 0) return;
    for (const scene of film.scenes) {
      if (!scene.placeholder) this.#queue.add(job(scene), options);
    }
  }

  #newScene(scene: FilmManifest['scenes'][number]): NewScene {
    const placeholder = isPlaceholder(scene.video_url);
    return {
      sceneNumber: scene.scene_number,
      placeholder,
      ...(scene.video_url === undefined ? {} : { videoUrl: scene.video_url }),
      ...(scene.prediction_id === undefined ? {} : { predictionId: scene.prediction_id }),
      ...(scene.duration === undefined ? {} : { duration: scene.duration }),
      // the hour began no later than now; of a prediction Replicate will tell when
      ...(placeholder ? {} : { deadline: new Date(Date.now() + this.#options.retentionMinutes * 60_000) }),
    };
  }

  #idsOf(names: readonly string[] | undefined): readonly string[] | undefined {
    const { storageName } = this.#options;
    return storageName ? names?.map(storageName) : names;
  }

  #assertStorages(strategy: Strategy, storages: readonly string[]): void {
    for (const id of storages) {
      if (this.#registry.get(id).capabilities.write) continue;
      throw new StorageError('UNSUPPORTED', `Storage "${id}" is read-only: it cannot hold copies.`, {
        scope: 'local',
        storage: id,
      });
    }
    if (strategy !== 'direct' && storages.length === 0) {
      throw new ExportError('INVALID_EXPORT', `Strategy "${strategy}" needs at least one storage to copy to.`);
    }
    if (new Set(storages).size !== storages.length) {
      throw new ExportError('INVALID_EXPORT', `A storage is named twice in "${storages.join(', ')}".`);
    }
  }
}

function job(scene: SceneRecord): { sceneId: SceneRecord['id']; filmId: string; deadline?: Date } {
  return { sceneId: scene.id, filmId: scene.filmId, ...(scene.deadline ? { deadline: scene.deadline } : {}) };
}
