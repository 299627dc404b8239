import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { DynamicModule } from '@nestjs/common';
import { isStorageToken, storageIdOf } from '@paradoxon/storage/nest';
import { ConfigurationError } from './configuration-error.ts';

const DEFAULT_FILE = 'paradoxon.config.mjs';

/** What paradoxon.config.mjs exports as default: stores that the environment cannot describe. */
export interface ConfigFile {
  /** Plugin modules: several instances of one plugin, and plugins of third parties. */
  readonly storages: readonly DynamicModule[];
}

/**
 * @param path of the file; absent: paradoxon.config.mjs of the working directory, if there is one
 * @throws ConfigurationError naming the file and what is wrong with it
 */
export async function readConfigFile(path: string | undefined): Promise<ConfigFile> {
  const file = resolve(path ?? DEFAULT_FILE);
  if (path === undefined && !existsSync(file)) return { storages: [] };
  let exported: unknown;
  try {
    exported = ((await import(pathToFileURL(file).href)) as { default?: unknown }).default;
  } catch (error) {
    throw new ConfigurationError([
      `${file} cannot be loaded: ${error instanceof Error ? error.message : String(error)}`,
    ]);
  }
  if (isConfigFile(exported)) {
    const ids = exported.storages.flatMap(fileStoreIds);
    const twice = ids.filter((id, at) => ids.indexOf(id) !== at);
    if (twice.length === 0) return exported;
    throw new ConfigurationError([`${file} has several stores ${twice.join(', ')}: give each an id of its own.`]);
  }
  throw new ConfigurationError([
    `${file} must export default { storages: [SomeStorageModule.register({ id, … }), …] }, each a plugin's module.`,
  ]);
}

function isConfigFile(value: unknown): value is ConfigFile {
  if (typeof value !== 'object' || value === null || !('storages' in value)) return false;
  const unknown = Object.keys(value).filter((name) => name !== 'storages');
  return (
    unknown.length === 0 &&
    Array.isArray(value.storages) &&
    value.storages.every((each) => fileStoreIds(each).length > 0)
  );
}

/** The ids under which a plugin's module gives its stores; usually one. */
export function fileStoreIds(plugin: unknown): string[] {
  const exported = typeof plugin === 'object' && plugin !== null && 'exports' in plugin ? plugin.exports : undefined;
  return Array.isArray(exported) ? exported.filter(isStorageToken).map(storageIdOf) : [];
}
