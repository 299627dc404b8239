import { type Configuration, parseConfiguration } from './configuration.ts';
import { readConfigFile } from './config-file.ts';

/**
 * The configuration of a process: its environment, and the stores of paradoxon.config.mjs.
 * @throws ConfigurationError naming everything that is wrong
 */
export async function loadConfiguration(
  environment: Readonly<Record<string, string | undefined>>,
): Promise<Configuration> {
  return parseConfiguration(environment, await readConfigFile(environment.PARADOXON_CONFIG || undefined));
}
