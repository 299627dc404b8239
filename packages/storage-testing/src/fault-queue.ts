import { setTimeout as sleep } from 'node:timers/promises';
import { type CallOptions, StorageError, type StorageErrorDetails } from '@paradoxon/storage';
import type { CallFault, FaultPlan, OpenFault, PutFault } from './fault-plan.ts';

/** The methods that can fail. */
export type Operation = Exclude<keyof FaultPlan, 'throttleBytesPerSecond'>;
type AnyFault = PutFault & OpenFault;

/** One fault of the plan. */
export interface Step {
  readonly name: string;
  readonly fault: AnyFault;
  happened: boolean;
}

/** The plan, and how far it has come. */
export class Faults {
  readonly #storage: string;
  readonly #bytesPerSecond: number | undefined;
  readonly #steps: readonly Step[];
  readonly #queues: ReadonlyMap<Operation, Step[]>;

  constructor(storage: string, { throttleBytesPerSecond, ...lists }: FaultPlan) {
    this.#storage = storage;
    this.#bytesPerSecond = throttleBytesPerSecond;
    const queues = Object.entries(lists).map(
      ([operation, faults]) =>
        [
          operation as Operation,
          faults.map((fault: AnyFault, index) => ({ name: `${operation} ${index + 1}`, fault, happened: false })),
        ] as const,
    );
    this.#queues = new Map(queues);
    this.#steps = queues.flatMap(([, steps]) => steps);
  }

  get slow(): boolean {
    return this.#bytesPerSecond !== undefined;
  }

  pending(): readonly string[] {
    return this.#steps.filter((step) => !step.happened).map((step) => step.name);
  }

  /**
   * Takes the fault of this call, waits and throws as it says.
   * @returns the step, when the rest of it is about bytes
   */
  async next(operation: Operation, key: string | undefined, options: CallOptions): Promise<Step | undefined> {
    const step = this.#queues.get(operation)?.shift();
    if (!step) return undefined;
    const { delayMs, failAfterBytes, stallAfterBytes, corrupt, commitThenFail, error } = step.fault;
    if (delayMs !== undefined) {
      await this.#sleep(delayMs, operation, options);
    }
    if ((failAfterBytes ?? stallAfterBytes ?? corrupt ?? commitThenFail) !== undefined) return step;
    step.happened = true;
    if (error !== undefined) throw this.error(operation, key, step.fault);
    return undefined;
  }

  error(
    operation: Operation,
    key: string | undefined,
    { error = 'UNAVAILABLE' }: CallFault,
    details: StorageErrorDetails = {},
  ): Error {
    if (error instanceof Error) return error;
    return new StorageError(error, `Storage "${this.#storage}" fails as planned in ${operation}.`, {
      storage: this.#storage,
      operation,
      ...(key === undefined ? {} : { key }),
      ...details,
    });
  }

  aborted(operation: Operation, { signal }: CallOptions): StorageError {
    return new StorageError('ABORTED', `Storage "${this.#storage}" was told to stop ${operation}.`, {
      scope: 'local',
      storage: this.#storage,
      operation,
      cause: signal?.reason,
    });
  }

  /** Waits as long as so many bytes take. */
  async throttle(bytes: number, operation: Operation, options: CallOptions): Promise<void> {
    if (this.#bytesPerSecond === undefined) return;
    await this.#sleep((bytes / this.#bytesPerSecond) * 1000, operation, options);
  }

  async #sleep(ms: number, operation: Operation, options: CallOptions): Promise<void> {
    try {
      await sleep(ms, undefined, options.signal ? { signal: options.signal } : {});
    } catch (error) {
      throw options.signal?.aborted ? this.aborted(operation, options) : error;
    }
  }
}
