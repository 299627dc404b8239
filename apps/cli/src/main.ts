#!/usr/bin/env node
import 'reflect-metadata';
import { existsSync } from 'node:fs';
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';

const EXIT_USAGE = 2;
const EXIT_FAILED = 3;
/** The command, the environment, or an option of a store. */
const USAGE_CODES = new Set<unknown>(['USAGE', 'INVALID_CONFIGURATION', 'INVALID_CONFIG']);
const EXIT_CODES = `
Exit codes:
  0    every wanted copy is there and verified
  1    a wanted copy is missing
  2    the command, the file or the configuration is wrong
  3    something else failed, such as the database
  130  interrupted (SIGINT), 143 ended (SIGTERM)`;

if (existsSync('.env')) process.loadEnvFile('.env');

function list(text: string): string[] {
  const items = text.split(',').map((item) => item.trim());
  if (items.includes('')) throw new InvalidArgumentError('Name at least one store.');
  return items;
}

const program = new Command('paradoxon')
  .description('Keeps every scene of every film playable: archives the videos of a film before their URLs die.')
  .exitOverride();

program
  .command('export')
  .description('archive a film from a JSON file; running it again does only what is left to do')
  .argument('<film.json>', 'title and scenes, each with scene_number and video_url or prediction_id')
  .addOption(new Option('--strategy <strategy>', 'which copies to make').choices(['direct', 'cloud', 'hybrid']))
  .option('--to <storages>', 'stores to copy to, separated by commas', list)
  .option('--json', 'print the export_info as JSON on standard output', false)
  .addHelpText('after', EXIT_CODES)
  .action(async (file: string, options: { strategy?: 'direct' | 'cloud' | 'hybrid'; to?: string[]; json: boolean }) => {
    // only now: help and a mistyped command need no Nest
    const { runExport } = await import('./export/run-export.ts');
    process.exitCode = await runExport(file, options, process.env);
  });

try {
  await program.parseAsync();
} catch (error) {
  process.exitCode = exitCode(error);
}

function exitCode(error: unknown): number {
  // commander has printed its own message already
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT_USAGE;
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  // errors with a code are said in words; a stack helps only with our own defects
  console.error(code === undefined ? error : `paradoxon: ${(error as Error).message}`);
  return USAGE_CODES.has(code) ? EXIT_USAGE : EXIT_FAILED;
}
