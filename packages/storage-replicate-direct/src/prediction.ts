import { StorageError } from '@paradoxon/storage';
import { z } from 'zod';

/**
 * What we read of a prediction: the answer of Replicate's API, an item of its list, or a webhook's body. Loose on purpose:
 * unknown fields stay, an unknown status is a status, and a field of another type than expected counts as absent.
 *
 * @see https://replicate.com/docs/reference/http#predictions.get (read 2026-11)
 */
const predictionSchema = z.looseObject({
  id: z.string().min(1),
  /** starting, processing, succeeded, failed, canceled, aborted; more may come. */
  status: z.string(),
  input: z.unknown().optional(),
  /** A URL, or any JSON with URLs in it. `null` until there is one and again once it was removed. */
  output: z.unknown().optional(),
  error: z.unknown().optional(),
  data_removed: z.boolean().optional().catch(undefined),
  created_at: z.string().optional().catch(undefined),
  started_at: z.string().optional().catch(undefined),
});

export type Prediction = z.output<typeof predictionSchema>;

/**
 * Reads a prediction from JSON that was already parsed.
 * @throws StorageError `UNAVAILABLE` when it is none: without `id` and `status` nothing can be said about it
 */
export function parsePrediction(json: unknown): Prediction {
  const parsed = predictionSchema.safeParse(json);
  if (parsed.success) return parsed.data;
  throw new StorageError('UNAVAILABLE', 'This is no prediction: a Replicate prediction has an id and a status.', {
    scope: 'source',
  });
}
