import type { Strategy } from '../catalogue/film-record.ts';

/** As data, for schemas and messages. */
export const STRATEGIES = ['direct', 'cloud', 'hybrid'] as const satisfies readonly Strategy[];
