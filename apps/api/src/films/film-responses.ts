import { exportInfoSchema, type FilmSummary, STRATEGIES } from '@paradoxon/export';
import { z } from 'zod';

export const exportResponse = z.object({ export_info: exportInfoSchema });

const filmSummary = z.object({
  film_id: z.string(),
  title: z.string(),
  storage_type: z.enum(STRATEGIES),
  storages: z.array(z.string()),
  total_scenes: z.number(),
  verified_copies: z.number(),
  total_file_size: z.number().meta({ description: 'Bytes, of the scenes whose size is known.' }),
  created_at: z.iso.datetime(),
});

export const filmsResponse = z.object({
  films: z.array(filmSummary),
  next: z.string().nullable().meta({ description: 'Give it as `before` for the next page; null on the last.' }),
});

export function filmSummaryOf(film: FilmSummary): z.infer<typeof filmSummary> {
  return {
    film_id: film.id,
    title: film.title,
    storage_type: film.strategy,
    storages: [...film.storages],
    total_scenes: film.sceneCount,
    verified_copies: film.verifiedCopies,
    total_file_size: film.totalSize,
    created_at: film.createdAt.toISOString(),
  };
}
