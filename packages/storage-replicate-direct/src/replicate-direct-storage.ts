import { SafeFetch } from '@paradoxon/safe-fetch';
import {
  type ByteSource,
  type CallOptions,
  type CheckLevel,
  type CheckReport,
  type CheckStep,
  type IssuedUrl,
  type ObjectInfo,
  type OpenedObject,
  type OpenOptions,
  redactUrls,
  STORAGE_API_VERSION,
  type StorageCapabilities,
  StorageError,
  type StoragePlugin,
  type StoredObject,
  type UrlOptions,
} from '@paradoxon/storage';
import { headDataVideo, isDataUrl, openDataVideo } from './data-video.ts';
import type { Prediction } from './prediction.ts';
import { PredictionSources, type VideoSource } from './prediction-sources.ts';
import { headRemoteVideo, openRemoteVideo } from './remote-video.ts';
import { type ListOptions, ReplicateApi } from './replicate-api.ts';
import {
  type ParsedReplicateDirectOptions,
  parseReplicateDirectOptions,
  type ReplicateDirectOptions,
} from './replicate-options.ts';
import { type CallSite, expiredError, isGone, toSourceError } from './source-error.ts';
import { parseSourceKey } from './source-key.ts';
import { translatedBody } from './translated-body.ts';

/**
 * Replicate's own copy of a video, as a read-only store whose objects disappear. The key is a video URL or a prediction id.
 *
 * A prediction's URL is remembered until its deadline. When it turns out to be dead before, Replicate is asked once more.
 */
export class ReplicateDirectStorage implements StoragePlugin {
  readonly apiVersion = STORAGE_API_VERSION;
  readonly kind = 'replicate-direct';
  readonly id: string;
  readonly capabilities: StorageCapabilities;
  readonly #options: ParsedReplicateDirectOptions;
  readonly #files: SafeFetch;
  readonly #api: ReplicateApi;
  readonly #predictions: PredictionSources;

  /** @throws StorageError `INVALID_CONFIG`; a missing token is no error here, only where one is needed */
  constructor(id: string, options: ReplicateDirectOptions = {}) {
    this.id = id;
    this.#options = parseReplicateDirectOptions(options);
    const { allowedHosts, allowedPrivateAddresses, maxBytes, retentionMinutes, ca } = this.#options;
    this.#files = new SafeFetch({
      allowedHosts,
      allowedPrivateAddresses,
      maxBytes,
      ...(ca === undefined ? {} : { ca }),
    });
    this.#api = new ReplicateApi(this.#options);
    this.#predictions = new PredictionSources(this.#api, retentionMinutes);
    this.capabilities = {
      write: false,
      expiring: true,
      range: true,
      ifMatch: true,
      createIfAbsent: false,
      unknownSize: false,
      list: false,
      sweepIncomplete: false,
      signedUrl: { maxTtlSeconds: Math.ceil(retentionMinutes * 60) },
      checksums: ['md5', 'crc32c'],
      maxObjectBytes: maxBytes,
    };
  }

  /** @throws StorageError `SOURCE_EXPIRED`, `SOURCE_NOT_READY`, `SOURCE_FAILED` beside those of the contract, as all readers here */
  open(key: string, options: OpenOptions = {}): Promise<OpenedObject> {
    const site = this.#site('open', key, options);
    return this.#read(site, key, async ({ url, ...deadline }) => {
      const video = isDataUrl(url) ? openDataVideo(url, options) : await openRemoteVideo(this.#files, url, options);
      return { ...video, body: translatedBody(video.body, (error) => toSourceError(error, site)), key, ...deadline };
    });
  }

  head(key: string, options: CallOptions = {}): Promise<ObjectInfo> {
    return this.#read(this.#site('head', key, options), key, async ({ url, ...deadline }) => {
      const info = isDataUrl(url) ? headDataVideo(url) : await headRemoteVideo(this.#files, url, options.signal);
      return { ...info, key, ...deadline };
    });
  }

  /**
   * The video's own URL. It lives as long as the video does, whatever `ttlSeconds` asks for: `expiresAt` is the deadline, and
   * for a bare URL, whose age nobody knows, the latest possible one.
   * @throws StorageError `FORBIDDEN_URL` when it is none that we would fetch; `UNSUPPORTED` for a `data:` URL
   */
  resolveUrl(key: string, options: UrlOptions = {}): Promise<IssuedUrl> {
    return this.#read(this.#site('resolveUrl', key, options), key, ({ url, expiresAt }) => {
      if (isDataUrl(url)) {
        throw new StorageError(
          'UNSUPPORTED',
          `Prediction ${key} carries its video in itself: it has no URL. Use open.`,
          {
            scope: 'source',
          },
        );
      }
      this.#files.assertAllowed(url);
      const latest = new Date(Date.now() + this.#options.retentionMinutes * 60_000);
      return { url, expiresAt: expiresAt ?? latest, supportsRange: true };
    });
  }

  /** The prediction's address in the API, or the video's URL without its query. */
  locate(key: string): string {
    try {
      const source = parseSourceKey(key);
      return source.kind === 'url' ? redactUrls(source.url) : this.#api.predictionUrl(source.id).href;
    } catch (error) {
      throw toSourceError(error, this.#site('locate', key));
    }
  }

  put(key: string, _body: ByteSource): Promise<StoredObject> {
    return Promise.reject(this.#readOnly('put', key));
  }

  delete(key: string): Promise<void> {
    return Promise.reject(this.#readOnly('delete', key));
  }

  /** `write` asks what `reach` asks: nothing can be written here. */
  async check(level: CheckLevel, options: CallOptions = {}): Promise<CheckReport> {
    const steps = [this.#checkToken()];
    if (level !== 'config') steps.push(await this.#checkApi(options.signal));
    if (level === 'write') steps.push({ name: 'read-only', ok: true, detail: 'Nothing is ever written to Replicate.' });
    return { ok: steps.every(({ ok }) => ok), steps };
  }

  /** A prediction as Replicate's API has it now. */
  async getPrediction(id: string, options: CallOptions = {}): Promise<Prediction> {
    const site = this.#site('getPrediction', id, options);
    try {
      if (parseSourceKey(id).kind !== 'prediction') {
        throw new StorageError('INVALID_KEY', `${id} is no prediction id.`, { scope: 'local' });
      }
      return await this.#api.getPrediction(id, options.signal);
    } catch (error) {
      throw toSourceError(error, site);
    }
  }

  /** The account's predictions, newest first, page after page: what finds those whose webhook never came. */
  async *listPredictions(options: ListOptions = {}): AsyncIterable<Prediction> {
    try {
      yield* this.#api.listPredictions(options);
    } catch (error) {
      throw toSourceError(error, { storage: this.id, operation: 'listPredictions', signal: options.signal });
    }
  }

  async close(): Promise<void> {
    await Promise.all([this.#files.close(), this.#api.close()]);
  }

  /** Runs `use` on where the video is; on a prediction whose URL is dead, once more on where it is now. */
  async #read<T>(site: CallSite, key: string, use: (source: VideoSource) => T | Promise<T>): Promise<T> {
    try {
      site.signal?.throwIfAborted();
      const source = parseSourceKey(key);
      if (source.kind === 'url') return await use({ url: source.url });
      try {
        return await use(await this.#predictions.find(source.id, site.signal));
      } catch (error) {
        if (!isGone(error)) throw error;
      }
      return await use(await this.#predictions.refresh(source.id, site.signal));
    } catch (error) {
      throw toSourceError(isGone(error) ? expiredError(error, this.#options.retentionMinutes) : error, site);
    }
  }

  #checkToken(): CheckStep {
    const ok = this.#options.apiToken !== undefined;
    return {
      name: 'API token',
      ok,
      detail: ok ? 'set' : 'Not set: video URLs can be read, prediction ids cannot. Set the option apiToken.',
    };
  }

  async #checkApi(signal: AbortSignal | undefined): Promise<CheckStep> {
    const name = 'API answers';
    try {
      // nothing was created after now: the shortest answer that needs the token
      for await (const _prediction of this.listPredictions({ createdAfter: new Date(), signal })) break;
      return { name, ok: true, detail: this.#options.apiUrl };
    } catch (error) {
      return { name, ok: false, detail: StorageError.from(error).message };
    }
  }

  #readOnly(operation: string, key: string): StorageError {
    return new StorageError('UNSUPPORTED', `Storage "${this.id}" is read-only: ${operation} is not possible.`, {
      scope: 'local',
      storage: this.id,
      operation,
      key: redactUrls(key),
    });
  }

  #site(operation: string, key: string, { signal }: CallOptions = {}): CallSite {
    return { storage: this.id, operation, key, signal };
  }
}
