import { STRATEGIES } from '@paradoxon/export';
import { z } from 'zod';

const storageIds = z.array(z.string().min(1).max(63)).min(1).max(16);

export const saveFilmQuery = z.strictObject({
  auto_upload: z
    .enum(['true', 'false'])
    .default('true')
    .meta({ description: '`false` stores the film without archiving it.' }),
});

export const exportRequest = z.strictObject({
  strategy: z.enum(STRATEGIES).optional(),
  storages: storageIds.optional().meta({ description: 'Store ids to hold a copy of every scene.', example: ['local'] }),
});

export const filmsQuery = z.strictObject({
  limit: z.coerce.number().int().min(1).max(100).default(20),
  before: z.string().max(200).optional().meta({ description: 'The `next` of the page before.' }),
});

export const filmId = z.string().regex(/^[A-Za-z0-9_-]{1,64}$/);
export const sceneNumber = z.coerce.number().int().min(1).max(9999);
