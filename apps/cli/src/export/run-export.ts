import { constants } from 'node:os';
import { NestFactory } from '@nestjs/core';
import { type ExportInfo, ExportEvents, ExportService } from '@paradoxon/export';
import { HostModule, loadConfiguration } from '@paradoxon/host';
import { StderrLogger } from '../stderr-logger.ts';
import { exportReport, unsureCopies } from './export-report.ts';
import { showProgress } from './progress.ts';
import { readManifest } from './read-manifest.ts';

export interface ExportCommand {
  readonly strategy?: 'direct' | 'cloud' | 'hybrid';
  readonly to?: readonly string[];
  readonly json: boolean;
}

/** @returns the exit code */
export async function runExport(
  file: string,
  { strategy, to, json }: ExportCommand,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<number> {
  const manifest = await readManifest(file);
  const configuration = await loadConfiguration({
    ...environment,
    ...(strategy === undefined ? {} : { STORAGE_STRATEGY: strategy }),
    ...(to === undefined ? {} : { STORAGES: to.join(',') }),
  });
  // other films' unfinished work is the service's business, not this command's
  const host = await NestFactory.createApplicationContext(await HostModule.forRoot(configuration, { resume: false }), {
    // an error at start is thrown to main, which says it in words: neither process.abort() nor Nest's own dump of it
    bufferLogs: true,
    autoFlushLogs: false,
    abortOnError: false,
  });
  host.useLogger(new StderrLogger(configuration.logLevel));
  host.flushLogs();
  const interrupted = new AbortController();
  let signal: NodeJS.Signals | undefined;
  const interrupt = (name: NodeJS.Signals): void => {
    // a second Ctrl-C must not leave the database running behind us
    if (signal !== undefined) return;
    signal = name;
    console.error('Interrupted: ending in order, which takes up to five seconds. Run it again to go on.');
    interrupted.abort();
  };
  process.on('SIGINT', interrupt).on('SIGTERM', interrupt);
  try {
    const exports = host.get(ExportService);
    const progress = showProgress(host.get(ExportEvents), process.stderr);
    const { film } = await exports.saveFilm(manifest, {
      // a film that is known keeps what was wanted of it, unless the command says otherwise
      ...(strategy === undefined ? {} : { strategy }),
      ...(to === undefined ? {} : { storages: configuration.storages }),
    });
    await Promise.race([exports.filmSettled(film.id), aborted(interrupted.signal)]);
    progress.stop();
    const info = await exports.exportInfo(film.id);
    console.error(exportReport(info, progress.scenesWorkedOn()));
    if (json) console.log(JSON.stringify({ export_info: info }, null, 2));
    if (signal !== undefined) return 128 + constants.signals[signal];
    return isComplete(info) ? 0 : 1;
  } finally {
    await host.close();
    process.off('SIGINT', interrupt).off('SIGTERM', interrupt);
  }
}

/** Whether every wanted copy is known to be there; with `direct`, whether every scene is alive. */
const isComplete = (info: ExportInfo): boolean =>
  (info.status === 'completed' || info.status === 'empty') && unsureCopies(info).length === 0;

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
