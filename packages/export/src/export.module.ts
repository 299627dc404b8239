import {
  type BeforeApplicationShutdown,
  type DynamicModule,
  Logger,
  Module,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
} from '@nestjs/common';
import type { StoragePlugin } from '@paradoxon/storage';
import { StorageModule, StorageRegistry } from '@paradoxon/storage/nest';
import { SqlCatalogue } from './catalogue/sql-catalogue.ts';
import type { Strategy } from './catalogue/film-record.ts';
import { Converge } from './converge/converge.ts';
import { type Database, openDatabase } from './database/database.ts';
import { ExportService } from './export.service.ts';
import { ArchiveQueue } from './jobs/archive-queue.ts';
import { ExportEvents } from './jobs/export-events.ts';

export interface ExportModuleOptions {
  readonly strategy: Strategy;
  /** Plugin modules, the preferred to play from first: `[S3StorageModule.register({…}), …]`. */
  readonly storages: readonly DynamicModule[];
  /** Ids of the stores that films are copied to when they do not say; every registered store that can be written, if absent. */
  readonly copyTo?: readonly string[];
  /** The id of the store that a caller's name means; the name itself, if absent. */
  readonly storageName?: (name: string) => string;
  /** Id of the plugin that reads direct URLs; `replicate-direct` if absent. */
  readonly directId?: string;
  /** PostgreSQL's URL, or a folder for the embedded one. */
  readonly database: { readonly url: string } | { readonly folder: string };
  /** Scenes worked on at once; 4 if absent. */
  readonly concurrency?: number;
  /** Largest video, bytes; 2 GiB if absent. */
  readonly maxBytes?: number;
  /** Life of a direct URL, minutes; 60 if absent. */
  readonly retentionMinutes?: number;
  readonly publicUrl?: string;
  /** Take up at start what an earlier process left undone; true if absent. */
  readonly resume?: boolean;
}

export const DATABASE = 'export:database';
/** Well below the ten seconds after which Docker kills. */
const GRACE_MS = 5_000;
const DAY_MS = 24 * 60 * 60_000;
const GiB = 1024 ** 3;

/** Starts with the host, and ends in order: the work first, then the database. */
class ExportLifecycle implements OnApplicationBootstrap, BeforeApplicationShutdown, OnApplicationShutdown {
  readonly #logger = new Logger('Export');
  readonly #stop = new AbortController();
  #sweeping: Promise<void> = Promise.resolve();

  constructor(
    private readonly service: ExportService,
    private readonly registry: StorageRegistry,
    private readonly queue: ArchiveQueue,
    private readonly database: Database,
    private readonly resume: boolean,
  ) {}

  async onApplicationBootstrap(): Promise<void> {
    if (!this.resume) return;
    // no cloud that is silent keeps the service from starting
    this.#sweeping = this.#sweep();
    const scenes = await this.service.resume();
    if (scenes > 0) this.#logger.log(`Going on with ${scenes} scenes that an earlier process left undone.`);
  }

  /** What a process that was killed left in the stores. Uploads of the last day may belong to one that lives. */
  async #sweep(): Promise<void> {
    const olderThan = new Date(Date.now() - DAY_MS);
    await Promise.all(this.registry.all().map((store) => this.#sweepStore(store, olderThan)));
  }

  async #sweepStore(store: StoragePlugin, olderThan: Date): Promise<void> {
    const { signal } = this.#stop;
    try {
      const { removed = 0 } = (await store.sweepIncomplete?.(olderThan, { signal })) ?? {};
      if (removed > 0) this.#logger.log(`Removed ${removed} abandoned uploads from storage "${store.id}".`);
    } catch (error) {
      if (signal.aborted) return;
      this.#logger.error(new Error(`Storage "${store.id}" could not be swept of abandoned uploads`, { cause: error }));
    }
  }

  async beforeApplicationShutdown(): Promise<void> {
    this.#stop.abort();
    await Promise.all([this.#sweeping, this.queue.stop(GRACE_MS)]);
  }

  async onApplicationShutdown(): Promise<void> {
    await this.database.close();
  }
}

@Module({})
export class ExportModule {
  static forRoot(options: ExportModuleOptions): DynamicModule {
    const { concurrency = 4, maxBytes = 2 * GiB, retentionMinutes = 60, directId = 'replicate-direct' } = options;
    const logger = new Logger('Export');
    return {
      module: ExportModule,
      global: true,
      imports: [StorageModule.forRoot(options.storages)],
      providers: [
        ExportEvents,
        {
          provide: DATABASE,
          // behind the stores: a start that a bad option of theirs ends must not leave a database running
          inject: [StorageRegistry],
          useFactory: () =>
            openDatabase({
              ...options.database,
              log: (line) => logger.log(line),
              onLost: (error) => {
                // nothing works without it: end in order, and let whoever supervises this process start it again
                logger.fatal(error);
                process.kill(process.pid, 'SIGTERM');
              },
            }),
        },
        {
          provide: SqlCatalogue,
          inject: [DATABASE],
          useFactory: (database: Database) => new SqlCatalogue(database),
        },
        {
          provide: ArchiveQueue,
          inject: [SqlCatalogue, StorageRegistry, ExportEvents],
          useFactory: (catalogue: SqlCatalogue, registry: StorageRegistry, events: ExportEvents) =>
            new ArchiveQueue(new Converge({ catalogue, registry, events, directId, maxBytes, now: () => new Date() }), {
              concurrency,
              onDefect: (cause, { sceneId, filmId }) =>
                logger.error(new Error(`Scene ${sceneId} of film ${filmId} could not be worked on`, { cause })),
            }),
        },
        {
          provide: ExportService,
          inject: [SqlCatalogue, StorageRegistry, ArchiveQueue],
          useFactory: (catalogue: SqlCatalogue, registry: StorageRegistry, queue: ArchiveQueue) => {
            const writable = registry.all().filter((store) => store.capabilities.write);
            return new ExportService(catalogue, registry, queue, {
              strategy: options.strategy,
              storages: options.copyTo ?? writable.map((store) => store.id),
              directId,
              retentionMinutes,
              ...(options.storageName === undefined ? {} : { storageName: options.storageName }),
              ...(options.publicUrl === undefined ? {} : { publicUrl: options.publicUrl }),
            });
          },
        },
        {
          provide: ExportLifecycle,
          inject: [ExportService, StorageRegistry, ArchiveQueue, DATABASE],
          useFactory: (service: ExportService, registry: StorageRegistry, queue: ArchiveQueue, database: Database) =>
            new ExportLifecycle(service, registry, queue, database, options.resume ?? true),
        },
      ],
      exports: [ExportService, ExportEvents, DATABASE],
    };
  }
}
