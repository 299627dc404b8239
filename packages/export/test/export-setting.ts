import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { StoragePlugin } from '@paradoxon/storage';
import { StorageRegistry } from '@paradoxon/storage/nest';
import { LocalStorage } from '@paradoxon/storage-local';
import { ReplicateDirectStorage } from '@paradoxon/storage-replicate-direct';
import { type SourceServer, startSourceServer } from '@paradoxon/storage-testing';
import { SqlCatalogue } from '../src/catalogue/sql-catalogue.ts';
import { Converge } from '../src/converge/converge.ts';
import { type Database, openDatabase } from '../src/database/database.ts';
import { ExportService } from '../src/export.service.ts';
import { ArchiveQueue } from '../src/jobs/archive-queue.ts';
import { type ExportEventMap, ExportEvents } from '../src/jobs/export-events.ts';

/** Everything real but the clouds: PostgreSQL, a folder, a source over HTTP. Made once a test file, films kept apart by id. */
export interface Setting {
  readonly source: SourceServer;
  readonly disk: LocalStorage;
  /** Its folder. */
  readonly diskRoot: string;
  readonly catalogue: SqlCatalogue;
  /** What Replicate's API says of predictions, by id. */
  readonly predictions: Map<string, object>;
  /** A service of its own over the same database: another process, so to speak. */
  service(
    stores: readonly StoragePlugin[],
    options?: { readonly defaults?: readonly string[]; readonly maxRuns?: number },
  ): Running;
  close(): Promise<void>;
}

export interface Running {
  readonly service: ExportService;
  readonly queue: ArchiveQueue;
  readonly events: ExportEvents;
  /** Names of the events of one film so far, with store and code where there is one. */
  readonly history: (filmId: string) => string[];
  readonly defects: unknown[];
}

export async function exportSetting(): Promise<Setting> {
  const folder = await mkdtemp(join(tmpdir(), 'export-'));
  const source = await startSourceServer();
  const predictions = new Map<string, object>();
  const api = createServer((request, response) => {
    const found = predictions.get(request.url?.split('/').pop() ?? '');
    response.writeHead(found ? 200 : 404, { 'content-type': 'application/json' }).end(JSON.stringify(found ?? {}));
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => api.once('listening', resolve));
  const database: Database = await openDatabase({ folder: join(folder, 'database') });
  const catalogue = new SqlCatalogue(database);
  const disk = new LocalStorage('disk', { root: join(folder, 'storage') });
  const direct = new ReplicateDirectStorage('replicate-direct', {
    apiToken: 'r8_test',
    apiUrl: `http://127.0.0.1:${(api.address() as AddressInfo).port}`,
    allowedPrivateAddresses: ['127.0.0.1'],
  });

  return {
    source,
    disk,
    diskRoot: join(folder, 'storage'),
    catalogue,
    predictions,
    service(stores, { defaults = stores.map((store) => store.id), maxRuns = 1 } = {}) {
      const registry = new StorageRegistry([...stores, direct]);
      const events = new ExportEvents();
      const defects: unknown[] = [];
      const converge = new Converge({
        catalogue,
        registry,
        events,
        directId: 'replicate-direct',
        maxBytes: 64 * 1024 ** 2,
        now: () => new Date(),
      });
      const queue = new ArchiveQueue(converge, { concurrency: 4, maxRuns, onDefect: (error) => defects.push(error) });
      const service = new ExportService(catalogue, registry, queue, {
        strategy: 'hybrid',
        storages: defaults,
        directId: 'replicate-direct',
        retentionMinutes: 60,
      });
      return { service, queue, events, defects, history: record(events) };
    },
    async close() {
      await database.close();
      await direct.close();
      await source.close();
      api.closeAllConnections();
      await new Promise((resolve) => api.close(resolve));
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function record(events: ExportEvents): (filmId: string) => string[] {
  const lines: { filmId: string; line: string }[] = [];
  const names = ['scene.started', 'copy.verified', 'copy.failed', 'copy.lost', 'scene.settled'] as const;
  for (const name of names) {
    events.on(name, (event: ExportEventMap[typeof name][0]) => {
      const detail = [
        event.sceneNumber,
        'storage' in event ? event.storage : undefined,
        'error' in event ? event.error.code : undefined,
        'state' in event ? event.state : undefined,
      ];
      lines.push({ filmId: event.filmId, line: [name, ...detail.filter((part) => part !== undefined)].join(' ') });
    });
  }
  return (filmId) => lines.filter((each) => each.filmId === filmId).map((each) => each.line);
}
