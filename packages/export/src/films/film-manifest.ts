import { createHash } from 'node:crypto';
import { z } from 'zod';

/** Demo placeholders of the film generator: kept and marked, never fetched. */
export const isPlaceholder = (videoUrl: string | undefined): boolean => videoUrl?.startsWith('placeholder') ?? false;

const videoUrl = z
  .string()
  .max(2048)
  .refine(isPlainText, { error: 'must not contain control characters or broken Unicode' })
  .refine((text) => isPlaceholder(text) || isWebUrl(text), {
    error: 'must be an http(s) URL without user information, or begin with "placeholder"',
  })
  .meta({ example: 'https://replicate.delivery/czjl/abc/output.mp4' });

const sceneSchema = z
  .strictObject({
    scene_number: z.int().min(1).max(9999),
    video_url: videoUrl.optional(),
    prediction_id: z
      .string()
      .regex(/^[a-z0-9]{20,40}$/, {
        error: 'must be a Replicate prediction id: 20 to 40 lower-case letters and digits',
      })
      .optional(),
    /** Seconds. */
    duration: z.number().positive().max(86_400).optional(),
  })
  .refine((scene) => scene.video_url !== undefined || scene.prediction_id !== undefined, {
    error: 'needs a video_url or a prediction_id',
  });

/** A film as its generator describes it: the body of POST /v1/films and the file that `paradoxon export` reads. */
export const filmManifestSchema = z.strictObject({
  film_id: z
    .string()
    .regex(/^[A-Za-z0-9_-]{1,64}$/, { error: 'must be 1 to 64 letters, digits, "_" or "-"' })
    .optional(),
  title: z
    .string()
    .trim()
    .min(1)
    .max(200)
    .refine(isPlainText, { error: 'must not contain control characters or broken Unicode' }),
  scenes: z
    .array(sceneSchema)
    .min(1)
    .max(1000)
    .refine((scenes) => new Set(scenes.map((scene) => scene.scene_number)).size === scenes.length, {
      error: 'has the same scene_number twice',
    }),
});

export type FilmManifest = z.infer<typeof filmManifestSchema>;

/** The id of a film that was given none: the same title and scenes give the same id, so reading a file twice is one film. */
export function filmIdOf(manifest: FilmManifest): string {
  const scenes = manifest.scenes.map((scene) => [
    scene.scene_number,
    scene.video_url ?? null,
    scene.prediction_id ?? null,
  ]);
  const digest = createHash('sha256')
    .update(JSON.stringify([manifest.title, scenes]))
    .digest('hex');
  return `film-${digest.slice(0, 16)}`;
}

function isWebUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const url = new URL(text);
  return (url.protocol === 'https:' || url.protocol === 'http:') && url.username === '' && url.password === '';
}

/** What the database and a URL can both hold: `new URL()` would take control characters, and drop some. */
function isPlainText(text: string): boolean {
  return text.isWellFormed() && !/\p{Cc}/u.test(text);
}
