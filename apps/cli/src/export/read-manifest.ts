import { readFile } from 'node:fs/promises';
import { type FilmManifest, filmManifestSchema } from '@paradoxon/export';
import { UsageError } from '../usage-error.ts';

/** @throws UsageError naming the file and, for each fault, the field */
export async function readManifest(file: string): Promise<FilmManifest> {
  const parsed = filmManifestSchema.safeParse(parse(file, await read(file)));
  if (parsed.success) return parsed.data;
  const faults = parsed.error.issues.map((issue) => `  ${issue.path.join('.') || 'film'}: ${issue.message}`);
  throw new UsageError(`${file} is not a film:\n${faults.join('\n')}`);
}

async function read(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw new UsageError(`${file} cannot be read: ${(error as Error).message}`, { cause: error });
  }
}

function parse(file: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new UsageError(`${file} is not JSON: ${(error as Error).message}`, { cause: error });
  }
}
