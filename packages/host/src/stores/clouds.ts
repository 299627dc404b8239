import type { DynamicModule } from '@nestjs/common';
import { type z } from 'zod';
import { ConfigurationError } from '../configuration-error.ts';
import { azure } from './azure.ts';
import { gcs } from './gcs.ts';
import { s3 } from './s3.ts';

const CLOUDS = [s3, gcs, azure];

/** The variables of all clouds. */
export const cloudEnvironment = { ...s3.environment, ...gcs.environment, ...azure.environment };

type CloudVariables = z.output<z.ZodObject<typeof cloudEnvironment>>;

/** By store id: how its plugin is registered. */
export type CloudSettings = Readonly<Record<string, () => Promise<DynamicModule>>>;

/** The store that an operator means: `aws_s3` and `azure_blob` are what the film generator calls them. */
export const storeIdOf = (name: string): string => CLOUDS.find((cloud) => cloud.aliases.includes(name))?.id ?? name;

/**
 * The clouds that are switched on: by one of their variables, or by being listed.
 *
 * @param listed store ids
 * @param taken ids of stores that are made elsewhere
 * @throws ConfigurationError naming each variable that is missing
 */
export function cloudSettings(env: CloudVariables, listed: readonly string[], taken: readonly string[]): CloudSettings {
  const problems: string[] = [];
  const settings: Record<string, () => Promise<DynamicModule>> = {};
  for (const cloud of CLOUDS) {
    const given = cloud.switches.filter((name) => env[name] !== undefined);
    if (given.length === 0 && (!listed.includes(cloud.id) || taken.includes(cloud.id))) continue;
    const missing = cloud.missing(env);
    const reason = given.length > 0 ? `${given.join(', ')} is set` : `STORAGES lists ${cloud.id}`;
    if (missing.length > 0) problems.push(`${missing.join(' and ')} is missing: ${reason}.`);
    else if (taken.includes(cloud.id)) problems.push(`paradoxon.config.mjs has a store ${cloud.id}, too: ${reason}.`);
    settings[cloud.id] = () => cloud.register(env);
  }
  if (problems.length > 0) throw new ConfigurationError(problems);
  return settings;
}
