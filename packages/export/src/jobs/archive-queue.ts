import { setTimeout as setTimeoutPromise } from 'node:timers/promises';
import type { StorageError } from '@paradoxon/storage';
import PQueue from 'p-queue';
import type { SceneRecord } from '../catalogue/film-record.ts';
import type { Converge, ConvergeOutcome } from '../converge/converge.ts';

export interface ArchiveJob {
  readonly sceneId: SceneRecord['id'];
  readonly filmId: string;
  readonly deadline?: Date;
}

/** Runs of one scene that keeps failing, the first included, before it is left alone. */
const MAX_RUNS = 6;
const FIRST_DELAY_MS = 1_000;
const MAX_DELAY_MS = 60_000;

/**
 * Runs converge for scenes, the earliest deadline first across films, a bounded number at once, a scene never twice at a
 * time; what may succeed later is run again with a growing, jittered delay. What is to be done is in the catalogue, not here:
 * a process that dies loses nothing, and the next start asks the catalogue again.
 */
export class ArchiveQueue {
  readonly #converge: Converge;
  readonly #queue: PQueue;
  readonly #maxRuns: number;
  readonly #onDefect: (error: unknown, job: ArchiveJob) => void;
  readonly #stop = new AbortController();
  readonly #open = new Map<ArchiveJob['sceneId'], OpenJob>();
  #stopping = false;

  /** @param options `maxRuns`: 6 if absent · `onDefect`: what converge records nowhere, ours or the database's */
  constructor(
    converge: Converge,
    options: {
      readonly concurrency: number;
      readonly maxRuns?: number;
      readonly onDefect: (error: unknown, job: ArchiveJob) => void;
    },
  ) {
    this.#converge = converge;
    this.#queue = new PQueue({ concurrency: options.concurrency });
    this.#maxRuns = options.maxRuns ?? MAX_RUNS;
    this.#onDefect = options.onDefect;
  }

  add(job: ArchiveJob, { recheck = false }: { recheck?: boolean } = {}): void {
    const open = this.#open.get(job.sceneId);
    if (open) {
      // it reads what is wanted when it starts; if it has started already, it goes once more
      open.recheck ||= recheck;
      open.again = true;
      return;
    }
    const added: OpenJob = { filmId: job.filmId, again: false, recheck, done: Promise.resolve() };
    this.#open.set(job.sceneId, added);
    added.done = this.#work(job, added).finally(() => this.#open.delete(job.sceneId));
  }

  /** Resolves when nothing is queued, running or to be tried again for the film. */
  async filmSettled(filmId: string): Promise<void> {
    for (;;) {
      const open = [...this.#open.values()].filter((job) => job.filmId === filmId);
      if (open.length === 0) return;
      await Promise.all(open.map((job) => job.done));
    }
  }

  /** Starts nothing more; gives what runs `graceMs` to finish, then aborts it: it leaves nothing half done. */
  async stop(graceMs: number): Promise<void> {
    this.#stopping = true;
    this.#queue.pause();
    const timer = setTimeout(() => this.#stop.abort(), graceMs);
    await this.#queue.onPendingZero();
    clearTimeout(timer);
    this.#stop.abort();
  }

  async #work(job: ArchiveJob, open: OpenJob): Promise<void> {
    for (let run = 1; !this.#stopping; run += 1) {
      const willRetry = (error: StorageError) => this.#willRetry(error, run, job);
      const outcome = await this.#queue.add(() => this.#run(job, open, willRetry), { priority: priority(job) });
      if (open.again) {
        run = 0;
        continue;
      }
      if (!outcome?.retry) return;
      await this.#delay(run, outcome.retry.afterMs);
    }
  }

  /** A prediction that is not done yet is asked for until its hour is over; what fails otherwise, a few times. */
  #willRetry({ code, retry }: StorageError, run: number, { deadline }: ArchiveJob): boolean {
    if (retry === 'never' || this.#stopping) return false;
    return run < this.#maxRuns || (code === 'SOURCE_NOT_READY' && deadline !== undefined && deadline > new Date());
  }

  async #run(
    job: ArchiveJob,
    open: OpenJob,
    willRetry: (error: StorageError) => boolean,
  ): Promise<ConvergeOutcome | undefined> {
    open.again = false;
    try {
      return await this.#converge.run(job.sceneId, { recheck: open.recheck, signal: this.#stop.signal, willRetry });
    } catch (error) {
      this.#onDefect(error, job);
      return undefined;
    }
  }

  /** @param afterMs what somebody asked for */
  async #delay(run: number, afterMs = 0): Promise<void> {
    const backOff = Math.min(FIRST_DELAY_MS * 2 ** (run - 1), MAX_DELAY_MS) * (0.5 + Math.random() / 2);
    const { signal } = this.#stop;
    // an abort is no failure here: the loop sees it
    await Promise.allSettled([setTimeoutPromise(Math.max(backOff, afterMs), undefined, { signal, ref: true })]);
  }
}

interface OpenJob {
  readonly filmId: string;
  /** Asked for once more since the run began. */
  again: boolean;
  recheck: boolean;
  done: Promise<void>;
}

/** p-queue runs the greatest first. */
const priority = ({ deadline }: ArchiveJob): number => (deadline ? -deadline.getTime() : Number.NEGATIVE_INFINITY);
