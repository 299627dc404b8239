import { StorageError } from '@paradoxon/storage';
import type { StorageRegistry } from '@paradoxon/storage/nest';
import { transfer, type TransferResult, type TransferTarget, type Verdict } from '@paradoxon/transfer';
import type { Catalogue } from '../catalogue/catalogue.ts';
import type { FilmRecord, SceneRecord } from '../catalogue/film-record.ts';
import { ExportError } from '../export-error.ts';
import { missingStorages, saysGone, sceneState, type SceneState } from '../films/scene-state.ts';
import type { ExportEvents } from '../jobs/export-events.ts';
import { objectKey } from './object-key.ts';
import { recheck } from './recheck.ts';
import { type SceneSource, sceneSources } from './scene-sources.ts';

export interface ConvergeOptions {
  /** Ask the stores first whether recorded copies are still there. */
  readonly recheck?: boolean;
  readonly signal?: AbortSignal;
  /** Whether a copy that failed so will be tried again; never, if absent. */
  readonly willRetry?: (error: StorageError) => boolean;
}

export interface ConvergeOutcome {
  readonly state: SceneState;
  /** Present when another run is due; `afterMs` when somebody asked to be left alone for so long. */
  readonly retry?: { readonly afterMs?: number };
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

  /** What went wrong is in the catalogue, on the scene and its copies. */
  async run(sceneId: SceneRecord['id'], options: ConvergeOptions = {}): Promise<ConvergeOutcome> {
    const { catalogue, registry, events, now } = this.#deps;
    let scene = await this.#load(sceneId);
    if (options.recheck && (await recheck(scene, registry, catalogue, events, options.signal))) {
      scene = await this.#load(sceneId);
    }
    const missing = missingStorages(scene.film, scene);
    let retry: ConvergeOutcome['retry'];
    if (missing.length > 0) {
      const errors = await this.#fill(scene, missing, options);
      retry = retryOf([...errors.values()].filter((error) => options.willRetry?.(error)));
      scene = await this.#load(sceneId);
    }
    const state = sceneState(scene.film, scene, now());
    if (!retry) events.emit('scene.settled', { filmId: scene.filmId, sceneNumber: scene.sceneNumber, state });
    return { state, ...(retry ? { retry } : {}) };
  }

  async #load(sceneId: SceneRecord['id']): Promise<SceneOfFilm> {
    const scene = await this.#deps.catalogue.sceneById(sceneId);
    if (scene) return scene;
    throw new ExportError('SCENE_NOT_FOUND', `Scene ${sceneId} is gone: its film was deleted.`);
  }

  /** @returns what is still wanting, and why */
  async #fill(scene: SceneOfFilm, missing: readonly string[], options: ConvergeOptions): Promise<StorageErrors> {
    const { catalogue, registry, events } = this.#deps;
    const { filmId, sceneNumber, revision } = scene;
    events.emit('scene.started', { filmId, sceneNumber, storages: missing });
    for (const storage of missing) {
      await catalogue.recordCopy(scene.id, revision, storage, { state: 'copying', countAttempt: true });
    }
    const known = missing.filter((storage) => registry.has(storage));
    const unknown = missing.filter((storage) => !registry.has(storage)).map((id) => [id, unknownStorage(id)] as const);
    let errors: StorageErrors;
    try {
      errors = new Map([...unknown, ...(await this.#copy(scene, known, options.signal))]);
    } catch (defect) {
      const error = StorageError.from(defect, { scope: 'local' });
      await this.#recordFailures(scene, new Map(missing.map((storage) => [storage, error])), options);
      throw defect;
    }
    // our own stop: the copies stay `copying`, and the next start goes on with them
    if (!options.signal?.aborted) await this.#recordFailures(scene, errors, options);
    return errors;
  }

  /** Tries one source after the other until no store is left that only lacks a better source. */
  async #copy(scene: SceneOfFilm, storages: readonly string[], signal?: AbortSignal): Promise<StorageErrors> {
    const { catalogue, registry, directId } = this.#deps;
    const noSource = new StorageError(
      'SOURCE_EXPIRED',
      `Scene ${scene.sceneNumber} of film ${scene.filmId} can be read from nowhere: its direct URL is dead and no copy is verified.`,
      { scope: 'source' },
    );
    const errors: StorageErrors = new Map(storages.map((storage) => [storage, noSource]));
    let direct: StorageError | undefined;
    for (const source of sceneSources(scene, registry, directId)) {
      // only a failing source is worth another source; a failing store is the store's own matter
      const open = [...errors].flatMap(([storage, error]) => (error.scope === 'source' ? [storage] : []));
      if (open.length === 0 || signal?.aborted) break;
      const deadline = source.from === 'direct' ? await this.#deadlineOf(scene, signal) : undefined;
      const result = await this.#transfer(scene, source, open, deadline, signal);
      if (signal?.aborted) break;
      const failed = await this.#record(scene, result, errors);
      if (source.from === 'direct') {
        direct = failed && moreTelling(direct, failed);
        const told = direct ? { code: direct.code, message: direct.message } : null;
        await catalogue.recordSourceError(scene.id, scene.revision, told);
      }
    }
    if (direct === undefined) return errors;
    for (const [storage, error] of errors) if (error.scope === 'source') errors.set(storage, direct);
    return errors;
  }

  async #recordFailures(scene: SceneOfFilm, errors: StorageErrors, { willRetry }: ConvergeOptions): Promise<void> {
    const { catalogue, events } = this.#deps;
    const { filmId, sceneNumber, revision } = scene;
    for (const [storage, failure] of errors) {
      const error = { code: failure.code, message: failure.message };
      if (willRetry?.(failure)) {
        await catalogue.recordCopy(scene.id, revision, storage, { state: 'copying', error });
        continue;
      }
      await catalogue.recordCopy(scene.id, revision, storage, { state: 'failed', error });
      events.emit('copy.failed', { filmId, sceneNumber, storage, error });
    }
  }

  #transfer(
    scene: SceneOfFilm,
    from: SceneSource,
    storages: readonly string[],
    deadline: Date | undefined,
    signal: AbortSignal | undefined,
  ): Promise<TransferResult> {
    const { registry, events, maxBytes } = this.#deps;
    const { filmId, sceneNumber, revision } = scene;
    const targets = storages.map((id): TransferTarget => {
      const copy = scene.copies.find((each) => each.storageId === id && each.revision === revision);
      return {
        store: registry.get(id),
        key: ({ extension }) => objectKey(filmId, sceneNumber, revision, extension),
        metadata: { 'film-id': filmId, 'scene-number': String(sceneNumber) },
        // it was verified once and no longer is: what lies there now is ours to replace, also after a repair that failed
        overwrite: copy?.verifiedAt !== undefined,
      };
    });
    return transfer(from.source, targets, {
      maxBytes,
      ...(signal ? { signal } : {}),
      ...(deadline ? { deadline } : {}),
      ...(scene.sha256 === undefined ? {} : { expectedSha256: scene.sha256 }),
      onProgress: ({ size, targets: progress }) => {
        for (const { store, bytes } of progress) {
          events.emit('copy.progress', { filmId, sceneNumber, storage: store, bytes, size });
        }
      },
    });
  }

  /**
   * Records what was read and verified; in `errors` stays what is still wanting.
   * @returns why the source failed, if it did
   */
  async #record(
    scene: SceneOfFilm,
    { content, verdicts }: TransferResult,
    errors: StorageErrors,
  ): Promise<StorageError | undefined> {
    const { catalogue } = this.#deps;
    if (content) {
      const { size, sha256, video } = content;
      await catalogue.recordContent(scene.id, scene.revision, { size, sha256, contentType: video.contentType });
    }
    let failed: StorageError | undefined;
    for (const verdict of verdicts) {
      if (verdict.ok) {
        errors.delete(verdict.store);
        await this.#recordVerified(scene, verdict, content);
      } else {
        errors.set(verdict.store, verdict.error);
        if (verdict.error.scope === 'source') failed = verdict.error;
      }
    }
    return failed;
  }

  async #recordVerified(
    scene: SceneOfFilm,
    { store: storage, key, stored, reused }: Extract<Verdict, { ok: true }>,
    content: TransferResult['content'],
  ): Promise<void> {
    const { catalogue, registry, events, now } = this.#deps;
    if (!content) throw new Error(`transfer verified a copy in "${storage}" without having read the content`);
    const { size, sha256, checksums } = content;
    const { etag } = stored;
    const recorded = await catalogue.recordCopy(scene.id, scene.revision, storage, {
      state: 'verified',
      key,
      size,
      sha256,
      checksums,
      ...(etag === undefined ? {} : { etag }),
      verifiedAt: now(),
    });
    if (recorded) {
      const { filmId, sceneNumber } = scene;
      events.emit('copy.verified', { filmId, sceneNumber, storage, size, sha256, reused });
    } else if (!reused) {
      // the scene has another video by now: nobody would ever find this object again
      await registry.get(storage).delete(key, etag === undefined ? {} : { ifMatch: etag });
    }
  }

  /**
   * When the direct source dies. Of a scene with a prediction Replicate knows when its hour began; the earlier counts. That
   * it cannot be asked is no matter here: the transfer that follows says why.
   */
  async #deadlineOf(scene: SceneOfFilm, signal?: AbortSignal): Promise<Date | undefined> {
    const { catalogue, registry, directId } = this.#deps;
    const { predictionId, deadline } = scene;
    if (predictionId === undefined) return deadline;
    const [head] = await Promise.allSettled([registry.get(directId).head(predictionId, signal ? { signal } : {})]);
    const told = head.status === 'fulfilled' ? head.value.expiresAt : undefined;
    if (!told || (deadline && deadline <= told)) return deadline;
    await catalogue.recordDeadline(scene.id, scene.revision, told);
    return told;
  }
}

/** By store id. */
type StorageErrors = Map<string, StorageError>;

function unknownStorage(id: string): StorageError {
  const message = `No storage "${id}" is configured here. Configure it again, or export the film without it.`;
  return new StorageError('UNKNOWN_STORAGE', message, { scope: 'target', storage: id });
}

/** Of two ways to the source, the one that is not simply gone says more; else the first. */
function moreTelling(first: StorageError | undefined, second: StorageError): StorageError {
  return first === undefined || (saysGone(first) && !saysGone(second)) ? second : first;
}

function retryOf(errors: readonly StorageError[]): ConvergeOutcome['retry'] {
  if (errors.length === 0) return undefined;
  const asked = errors.flatMap((error) => error.retryAfterMs ?? []);
  return asked.length === 0 ? {} : { afterMs: Math.max(...asked) };
}
