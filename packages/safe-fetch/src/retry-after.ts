/** More than this is a mistake of the other side. */
const MAX_MS = 24 * 60 * 60 * 1000;

/**
 * How long a `Retry-After` header (seconds, or a date) asks to be left alone, ms.
 * @returns 0 to 24 hours; `undefined` when there is none or it says nothing readable
 */
export function retryAfterMs(header: string | undefined, now = Date.now()): number | undefined {
  if (header === undefined) return undefined;
  const ms = /^\d+(\.\d+)?$/.test(header) ? Number(header) * 1000 : Date.parse(header) - now;
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(0, Math.ceil(ms)), MAX_MS);
}
