import type { Prediction } from './prediction.ts';

/** RFC 3339 with its zone; without one it would be read in the time zone of this machine. */
const TIMESTAMP = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/i;
const MINUTE_MS = 60_000;

/**
 * When Replicate will have deleted a prediction's output: `retentionMinutes` after the earliest of
 *
 * - `receivedAt`, and
 * - each of `created_at` and `started_at` that can be believed.
 *
 * Replicate does not say whether its hour starts with the creation or the completion, so the worse case is taken. Its
 * timestamps come in any order (322 of 3,808 public predictions start before they are created), therefore the earliest.
 *
 * A timestamp is believed when it lies less than the retention before `receivedAt`. One in the future is not: the two
 * clocks differ. One longer ago is not either: the output that came with it would have been gone, so a clock is wrong, or
 * Replicate keeps it longer (predictions made on its web site). If none can be believed, the time starts at `receivedAt`.
 * So the result always lies after `receivedAt`, and at most the retention after it, whatever the clocks say.
 *
 * The exception is a prediction whose data is removed already: its deadline is `receivedAt`.
 *
 * @param prediction as it was received; only its timestamps and `data_removed` are read
 * @param receivedAt when that was, by our clock: the time of the first webhook or answer that carried it
 * @param retentionMinutes how long Replicate keeps an output
 */
export function deadlineOf(
  prediction: Pick<Prediction, 'created_at' | 'started_at' | 'data_removed'>,
  receivedAt: Date,
  retentionMinutes = 60,
): Date {
  if (prediction.data_removed === true) return receivedAt;
  const received = receivedAt.getTime();
  const retention = retentionMinutes * MINUTE_MS;
  const believed = [prediction.created_at, prediction.started_at]
    .filter((text) => text !== undefined && TIMESTAMP.test(text))
    .map((text) => Date.parse(text ?? ''))
    .filter((time) => time > received - retention);
  return new Date(Math.min(received, ...believed) + retention);
}
