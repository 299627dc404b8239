import { conditionNotMet, GcsError, invalid } from './gcs-error.ts';

/** What the preconditions look at. Absent objects have generation 0. */
interface Version {
  readonly generation: number;
  readonly metageneration: number;
}

/** The four `if…Match` parameters of the JSON API. */
export interface Preconditions {
  readonly ifGenerationMatch?: number;
  readonly ifGenerationNotMatch?: number;
  readonly ifMetagenerationMatch?: number;
  readonly ifMetagenerationNotMatch?: number;
}

const NAMES = [
  'ifGenerationMatch',
  'ifGenerationNotMatch',
  'ifMetagenerationMatch',
  'ifMetagenerationNotMatch',
] as const satisfies readonly (keyof Preconditions)[];

/** @throws GcsError 400 for a value that is no whole number */
export function preconditionsOf(query: URLSearchParams): Preconditions {
  return Object.fromEntries(
    NAMES.flatMap((name) => {
      const value = query.get(name);
      if (value === null) return [];
      if (!/^\d+$/.test(value)) throw invalid(`Invalid value for parameter ${name}: ${value}`);
      return [[name, Number(value)]];
    }),
  );
}

/** @throws GcsError 412 unless all of them hold */
export function demandForWrite(conditions: Preconditions, current: Version | undefined): void {
  if (failing(conditions, current)) throw conditionNotMet();
}

/** @throws GcsError 412, or 304 when the reader has what there is */
export function demandForRead(conditions: Preconditions, current: Version): void {
  const failed = failing(conditions, current);
  if (failed?.endsWith('NotMatch')) throw new GcsError(304, 'notModified', '');
  if (failed) throw conditionNotMet();
}

function failing(conditions: Preconditions, current: Version | undefined): keyof Preconditions | undefined {
  const { generation, metageneration } = current ?? { generation: 0, metageneration: 0 };
  const holds: Record<keyof Preconditions, (value: number) => boolean> = {
    ifGenerationMatch: (value) => value === generation,
    ifGenerationNotMatch: (value) => value !== generation,
    // there is no metageneration of what does not exist
    ifMetagenerationMatch: (value) => current !== undefined && value === metageneration,
    ifMetagenerationNotMatch: (value) => current !== undefined && value !== metageneration,
  };
  return NAMES.find((name) => {
    const value = conditions[name];
    return value !== undefined && !holds[name](value);
  });
}
