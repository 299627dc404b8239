import { StorageError } from '@paradoxon/storage';
import type { StorageRegistry } from '@paradoxon/storage/nest';
import { transfer, type TransferResult, type TransferTarget } from '@paradoxon/transfer';
import type { Catalogue } from '../catalogue/catalogue.ts';
import type { FilmRecord, SceneRecord } from '../catalogue/film-record.ts';
import { ExportError } from '../export-error.ts';
import { missingStorages, sceneState, type SceneState } from '../films/scene-state.ts';
import type { ExportEvents } from '../jobs/export-events.ts';
import { objectKey } from './object-key.ts';
import { recheck } from './recheck.ts';
import { type SceneSource, sceneSources } from './scene-sources.ts';

export interface ConvergeOptions {
  /** Ask the stores first whether recorded copies are still there. */
  readonly recheck?: boolean;
  readonly signal?: AbortSignal;
}

export interface ConvergeDependencies {
  readonly catalogue: Catalogue;
  readonly registry: StorageRegistry;
  readonly events: ExportEvents;
  /** Id of the plugin that reads direct URLs. */
  readonly directId: string;
  /** Largest video, bytes. */
  readonly maxBytes: number;
  readonly now: () => Date;
}

type SceneOfFilm = SceneRecord & { readonly film: Omit<FilmRecord, 'scenes'> };

/**
 * Makes the copies that exist equal those that should: the first archive, a re-run, an added store, a lost copy. One read
 * of the best source there is, fanned out to every store in the gap; what a source could not finish, the next one does.
 * Running it twice does nothing twice.
 */
export class Converge {
  readonly #deps: ConvergeDependencies;

  constructor(deps: ConvergeDependencies) {
    this.#deps = deps;
  }

  /** @returns the scene's state afterwards. What went wrong is in the catalogue, on the scene and its copies. */
  async run(sceneId: SceneRecord['id'], options: ConvergeOptions = {}): Promise<SceneState> {
    const { catalogue, registry, events, now } = this.#deps;
    let scene = await this.#load(sceneId);
    if (options.recheck && (await recheck(scene, registry, catalogue, events, options.signal))) {
      scene = await this.#load(sceneId);
    }
    const missing = missingStorages(scene.film, scene);
    if (missing.length > 0) {
      await this.#fill(scene, missing, options.signal);
      scene = await this.#load(sceneId);
    }
    const state = sceneState(scene.film, scene, now());
    events.emit('scene.settled', { filmId: scene.filmId, sceneNumber: scene.sceneNumber, state });
    return state;
  }

  async #load(sceneId: SceneRecord['id']): Promise<SceneOfFilm> {
    const scene = await this.#deps.catalogue.sceneById(sceneId);
    if (scene) return scene;
    throw new ExportError('SCENE_NOT_FOUND', `Scene ${sceneId} is gone: its film was deleted.`);
  }

  async #fill(scene: SceneOfFilm, missing: readonly string[], signal?: AbortSignal): Promise<void> {
    const { catalogue, registry, events, directId, now } = this.#deps;
    const { filmId, sceneNumber, revision } = scene;
    events.emit('scene.started', { filmId, sceneNumber, storages: missing });
    for (const storage of missing) {
      await catalogue.recordCopy(scene.id, revision, storage, { state: 'copying', countAttempt: true });
    }

    const noSource = new StorageError(
      'SOURCE_EXPIRED',
      `Scene ${sceneNumber} of film ${filmId} can be read from nowhere: its direct URL is dead and no copy is verified.`,
      { scope: 'source' },
    );
    const errors = new Map(missing.map((storage) => [storage, noSource]));
    for (const source of sceneSources(scene, registry, directId, now())) {
      // only a failing source is worth another source; a failing store is the store's own matter
      const open = [...errors].flatMap(([storage, error]) => (error.scope === 'source' ? [storage] : []));
      if (open.length === 0) break;
      if (source.from === 'direct' && scene.deadline === undefined) await this.#learnDeadline(scene);
      const result = await this.#transfer(scene, source, open, signal);
      // our own stop: the copies stay `copying`, and the next start goes on with them
      if (signal?.aborted) return;
      await this.#record(scene, source, result, errors);
    }

    for (const [storage, { code, message }] of errors) {
      await catalogue.recordCopy(scene.id, revision, storage, { state: 'failed', error: { code, message } });
      events.emit('copy.failed', { filmId, sceneNumber, storage, error: { code, message } });
    }
  }

  #transfer(
    scene: SceneOfFilm,
    from: SceneSource,
    storages: readonly string[],
    signal?: AbortSignal,
  ): Promise<TransferResult> {
    const { registry, events, maxBytes } = this.#deps;
    const { filmId, sceneNumber, revision } = scene;
    const targets = storages.map((id): TransferTarget => {
      const copy = scene.copies.find((each) => each.storageId === id && each.revision === revision);
      return {
        store: registry.get(id),
        key: ({ extension }) => objectKey(filmId, sceneNumber, revision, extension),
        metadata: { 'film-id': filmId, 'scene-number': String(sceneNumber) },
        overwrite: copy?.state === 'missing' || copy?.state === 'corrupt',
      };
    });
    return transfer(from.source, targets, {
      maxBytes,
      ...(signal ? { signal } : {}),
      ...(from.from === 'direct' && scene.deadline ? { deadline: scene.deadline } : {}),
      ...(scene.sha256 === undefined ? {} : { expectedSha256: scene.sha256 }),
      onProgress: ({ size, targets: progress }) => {
        for (const { store, bytes } of progress) {
          events.emit('copy.progress', { filmId, sceneNumber, storage: store, bytes, size });
        }
      },
    });
  }

  /** Records what was read and verified; in `errors` stays what is still wanting. */
  async #record(
    scene: SceneOfFilm,
    from: SceneSource,
    { content, verdicts }: TransferResult,
    errors: Map<string, StorageError>,
  ): Promise<void> {
    const { catalogue, events, now } = this.#deps;
    const { filmId, sceneNumber, revision } = scene;
    if (from.from === 'direct') {
      const failed = verdicts.find((verdict) => !verdict.ok && verdict.error.scope === 'source');
      const error = failed && !failed.ok ? { code: failed.error.code, message: failed.error.message } : null;
      await catalogue.recordSourceError(scene.id, revision, error);
    }
    if (content) {
      const { size, sha256, video } = content;
      await catalogue.recordContent(scene.id, revision, { size, sha256, contentType: video.contentType });
    }
    for (const verdict of verdicts) {
      if (!verdict.ok) {
        errors.set(verdict.store, verdict.error);
        continue;
      }
      errors.delete(verdict.store);
      const { store: storage, key, stored, reused } = verdict;
      if (!content) throw new Error(`transfer verified a copy in "${storage}" without having read the content`);
      await catalogue.recordCopy(scene.id, revision, storage, {
        state: 'verified',
        key,
        size: content.size,
        sha256: content.sha256,
        checksums: content.checksums,
        ...(stored.etag === undefined ? {} : { etag: stored.etag }),
        verifiedAt: now(),
      });
      events.emit('copy.verified', {
        filmId,
        sceneNumber,
        storage,
        size: content.size,
        sha256: content.sha256,
        reused,
      });
    }
  }

  /** A scene known only by its prediction: Replicate tells when its hour began. A refusal is told by the transfer that follows. */
  async #learnDeadline(scene: SceneOfFilm): Promise<void> {
    const { catalogue, registry, directId } = this.#deps;
    if (scene.predictionId === undefined) return;
    const [head] = await Promise.allSettled([registry.get(directId).head(scene.predictionId)]);
    if (head.status === 'fulfilled' && head.value.expiresAt) {
      await catalogue.recordDeadline(scene.id, scene.revision, head.value.expiresAt);
    }
  }
}
