import PQueue from 'p-queue';
import type { SceneRecord } from '../catalogue/film-record.ts';
import type { Converge } from '../converge/converge.ts';

export interface ArchiveJob {
  readonly sceneId: SceneRecord['id'];
  readonly filmId: string;
  readonly deadline?: Date;
}

/**
 * Runs converge for scenes, the earliest deadline first across films, a bounded number at once, a scene never twice at a
 * time. What is to be done is in the catalogue, not here: a process that dies loses nothing, and the next start asks
 * the catalogue again.
 */
export class ArchiveQueue {
  readonly #converge: Converge;
  readonly #onDefect: (error: unknown, job: ArchiveJob) => void;
  readonly #queue: PQueue;
  readonly #stop = new AbortController();
  readonly #open = new Map<ArchiveJob['sceneId'], OpenJob>();

  constructor(converge: Converge, concurrency: number, onDefect: (error: unknown, job: ArchiveJob) => void) {
    this.#converge = converge;
    this.#onDefect = onDefect;
    this.#queue = new PQueue({ concurrency });
  }

  add(job: ArchiveJob, { recheck = false }: { recheck?: boolean } = {}): void {
    const open = this.#open.get(job.sceneId);
    if (open) {
      // it reads what is wanted when it starts; if it has started already, it goes once more
      open.recheck ||= recheck;
      open.again = open.running;
      return;
    }
    const added: OpenJob = { filmId: job.filmId, running: false, again: false, recheck, done: Promise.resolve() };
    this.#open.set(job.sceneId, added);
    added.done = this.#queue
      .add(() => this.#run(job, added), { priority: priority(job) })
      .finally(() => this.#open.delete(job.sceneId));
  }

  /** Resolves when nothing is queued or running for the film. */
  async filmSettled(filmId: string): Promise<void> {
    for (;;) {
      const open = [...this.#open.values()].filter((job) => job.filmId === filmId);
      if (open.length === 0) return;
      await Promise.all(open.map((job) => job.done));
    }
  }

  /** Starts nothing more; gives what runs `graceMs` to finish, then aborts it: it leaves nothing half done. */
  async stop(graceMs: number): Promise<void> {
    this.#queue.pause();
    const timer = setTimeout(() => this.#stop.abort(), graceMs);
    await this.#queue.onPendingZero();
    clearTimeout(timer);
  }

  async #run(job: ArchiveJob, open: OpenJob): Promise<void> {
    open.running = true;
    do {
      open.again = false;
      try {
        await this.#converge.run(job.sceneId, { recheck: open.recheck, signal: this.#stop.signal });
      } catch (error) {
        // converge records what stores and sources do wrong; what arrives here is ours or the database's
        this.#onDefect(error, job);
      }
    } while (open.again && !this.#stop.signal.aborted);
  }
}

interface OpenJob {
  readonly filmId: string;
  running: boolean;
  /** Asked for once more while running. */
  again: boolean;
  recheck: boolean;
  done: Promise<void>;
}

/** p-queue runs the greatest first. */
const priority = ({ deadline }: ArchiveJob): number => (deadline ? -deadline.getTime() : Number.NEGATIVE_INFINITY);
