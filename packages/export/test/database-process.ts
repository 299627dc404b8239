/**
 * A program on a data folder, to be started, interrupted and killed by tests:
 * `node --conditions=@paradoxon/source database-process.ts FOLDER`. Says what happens, one line each.
 */
import { openDatabase } from '../src/database/database.ts';

const say = (what: string) => process.stdout.write(`${what}\n`);

try {
  const database = await openDatabase({
    folder: process.argv[2] ?? '',
    log: (message) => say(`log: ${message}`),
    onLost: (error) => say(`lost: ${error.message}`),
  });
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.once(signal, () => {
      // the work in hand still has its database
      void database.pool
        .query('select pg_sleep(0.3)')
        .then(() => say('finished'))
        .then(() => database.close())
        .then(() => say('closed'));
    });
  }
  say('open');
} catch (error) {
  say(`refused: ${(error as Error).message}`);
  process.exitCode = 1;
}
