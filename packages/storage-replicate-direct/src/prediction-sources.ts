import { deadlineOf } from './deadline.ts';
import { isDataUrl } from './data-video.ts';
import { videoUrlOf } from './prediction-video.ts';
import type { ReplicateApi } from './replicate-api.ts';

/** Playing one video asks for many ranges of it; not each of them should ask the API. */
const MAX_REMEMBERED = 500;

export interface VideoSource {
  readonly url: string;
  /** Unknown for a bare URL. */
  readonly expiresAt?: Date;
}

/** Where predictions have their videos; remembered until the deadline. */
export class PredictionSources {
  readonly #api: ReplicateApi;
  readonly #retentionMinutes: number;
  readonly #remembered = new Map<string, Required<VideoSource>>();

  constructor(api: ReplicateApi, retentionMinutes: number) {
    this.#api = api;
    this.#retentionMinutes = retentionMinutes;
  }

  /** @throws what `videoUrlOf` and the API do */
  async find(id: string, signal?: AbortSignal): Promise<Required<VideoSource>> {
    const remembered = this.#remembered.get(id);
    if (remembered && remembered.expiresAt.getTime() > Date.now()) return remembered;
    return this.refresh(id, signal);
  }

  /** Asks the API whatever is remembered. */
  async refresh(id: string, signal?: AbortSignal): Promise<Required<VideoSource>> {
    this.#remembered.delete(id);
    const prediction = await this.#api.getPrediction(id, signal);
    const source = {
      url: videoUrlOf(prediction),
      expiresAt: deadlineOf(prediction, new Date(), this.#retentionMinutes),
    };
    // a data: URL is the whole video
    if (!isDataUrl(source.url)) this.#remember(id, source);
    return source;
  }

  #remember(id: string, source: Required<VideoSource>): void {
    for (const oldest of this.#remembered.keys()) {
      if (this.#remembered.size < MAX_REMEMBERED) break;
      this.#remembered.delete(oldest);
    }
    this.#remembered.set(id, source);
  }
}
