import type { StorageRegistry } from '@paradoxon/storage/nest';
import { z } from 'zod';
import type { CopyRecord, FilmRecord, SceneRecord } from '../catalogue/film-record.ts';
import {
  EXPORT_STATUSES,
  exportStatus,
  isAlive,
  SCENE_STATES,
  sceneState,
  verifiedCopies,
  wantedStorages,
} from './scene-state.ts';
import { placesOf } from './playback.ts';
import { STRATEGIES } from './strategy.ts';

const errorSchema = z.object({ code: z.string().meta({ example: 'NOT_A_VIDEO' }), message: z.string() });

const copySchema = z.object({
  storage: z.string().meta({ description: 'Store id.' }),
  state: z.enum(['wanted', 'copying', 'verified', 'failed', 'missing', 'corrupt']),
  location: z
    .string()
    .nullable()
    .meta({ description: "Where it is, in the store's own notation: names it, grants nothing." }),
  file_size: z.number().nullable(),
  verified_at: z.iso.datetime().nullable(),
  error: errorSchema.nullable(),
});

const sceneInfoSchema = z.object({
  scene_number: z.number(),
  state: z.enum(SCENE_STATES),
  video_url: z.string().nullable(),
  prediction_id: z.string().nullable(),
  video_url_expires_at: z.iso
    .datetime()
    .nullable()
    .meta({ description: 'When the direct URL dies; null when unknown.' }),
  cloud_storage_url: z.string().nullable().meta({
    description:
      "A URL of a verified copy, issued now; the store's own notation where it cannot issue one. Do not store it.",
  }),
  duration: z.number().nullable().meta({ description: 'Seconds.' }),
  file_size: z.number().nullable().meta({ description: 'Bytes.' }),
  sha256: z.string().nullable(),
  content_type: z.string().nullable(),
  error: errorSchema.nullable().meta({ description: 'Why the source could not be read, the last time it was tried.' }),
  copies: z.array(copySchema),
});

/** What the film generator's clients read. The names are theirs and stay. */
export const exportInfoSchema = z.object({
  film_id: z.string(),
  title: z.string(),
  status: z.enum(EXPORT_STATUSES),
  storage_type: z.enum(STRATEGIES),
  storages: z.array(z.string()).meta({ description: 'Store ids in which every scene should have a copy.' }),
  cloud_storage_enabled: z.boolean(),
  total_scenes: z.number(),
  total_duration: z.number().meta({ description: 'Seconds, of the scenes whose duration is known.' }),
  total_file_size: z.number().meta({ description: 'Bytes, of the scenes whose size is known.' }),
  format: z.string().nullable().meta({ description: 'File formats of the scenes; null while none is known.' }),
  replicate_urls: z.array(z.string()).meta({ description: 'Direct URLs that are alive, by scene; none with `cloud`.' }),
  cloud_urls: z.array(z.string()).meta({ description: "One verified copy's URL a scene, where there is one." }),
  download_urls: z.array(z.string()).meta({ description: 'One URL a scene that plays now.' }),
  scene_videos: z.array(z.object({ scene_number: z.number(), url: z.string() })),
  scenes: z.array(sceneInfoSchema),
});

export type ExportInfo = z.infer<typeof exportInfoSchema>;
type SceneInfo = z.infer<typeof sceneInfoSchema>;
type CopyInfo = z.infer<typeof copySchema>;

export interface ExportInfoContext {
  readonly registry: StorageRegistry;
  readonly now: Date;
  /** The playback route of a scene; without one (no HTTP), scenes play from the copy or the direct URL itself. */
  readonly playbackUrl?: (filmId: string, sceneNumber: number) => string;
}

export async function exportInfo(film: FilmRecord, context: ExportInfoContext): Promise<ExportInfo> {
  const scenes = await Promise.all(film.scenes.map((scene) => sceneInfo(film, scene, context)));
  const replicateUrls = film.scenes.flatMap((scene) =>
    film.strategy !== 'cloud' && isAlive(scene, context.now) ? (scene.videoUrl ?? []) : [],
  );
  const sceneVideos = film.scenes.flatMap((scene, at) => {
    const url = playableUrl(film, scene, scenes[at]?.cloud_storage_url ?? null, context);
    return url === null ? [] : [{ scene_number: scene.sceneNumber, url }];
  });
  const formats = new Set(scenes.flatMap(({ content_type: type }) => type?.split('/')[1] ?? []));
  return {
    film_id: film.id,
    title: film.title,
    status: exportStatus(film, context.now),
    storage_type: film.strategy,
    storages: [...wantedStorages(film)],
    cloud_storage_enabled: film.strategy !== 'direct',
    total_scenes: scenes.length,
    total_duration: sum(scenes.map((scene) => scene.duration)),
    total_file_size: sum(scenes.map((scene) => scene.file_size)),
    format: formats.size === 0 ? null : [...formats].join(', '),
    replicate_urls: replicateUrls,
    cloud_urls: scenes.flatMap((scene) => scene.cloud_storage_url ?? []),
    download_urls: sceneVideos.map((video) => video.url),
    scene_videos: sceneVideos,
    scenes,
  };
}

/** Through the playback route where there is one; else the URL of the place itself, where that has one. */
function playableUrl(
  film: FilmRecord,
  scene: SceneRecord,
  copy: string | null,
  context: ExportInfoContext,
): string | null {
  const order = context.registry.all().map((store) => store.id);
  const [place] = placesOf(film, scene, order, context.now);
  if (place === undefined) return null;
  if (context.playbackUrl) return context.playbackUrl(film.id, scene.sceneNumber);
  return place.via === 'direct' ? (scene.videoUrl ?? copy) : copy;
}

async function sceneInfo(film: FilmRecord, scene: SceneRecord, context: ExportInfoContext): Promise<SceneInfo> {
  const known = scene.copies.filter((copy) => copy.revision === scene.revision);
  const unknown = wantedStorages(film).filter((id) => !known.some((copy) => copy.storageId === id));
  return {
    scene_number: scene.sceneNumber,
    state: sceneState(film, scene, context.now),
    video_url: scene.videoUrl ?? null,
    prediction_id: scene.predictionId ?? null,
    video_url_expires_at: scene.deadline?.toISOString() ?? null,
    cloud_storage_url: await copyUrl(scene, context.registry),
    duration: scene.duration ?? null,
    file_size: scene.size ?? null,
    sha256: scene.sha256 ?? null,
    content_type: scene.contentType ?? null,
    error: scene.sourceError ? { ...scene.sourceError } : null,
    copies: [
      ...known.map((copy) => copyInfo(copy, context.registry)),
      ...(scene.placeholder ? [] : unknown).map((storage) => ({
        storage,
        state: 'wanted' as const,
        location: null,
        file_size: null,
        verified_at: null,
        error: null,
      })),
    ],
  };
}

function copyInfo(copy: CopyRecord, registry: StorageRegistry): CopyInfo {
  const stored = copy.state === 'verified' && copy.key !== undefined && registry.has(copy.storageId);
  return {
    storage: copy.storageId,
    state: copy.state,
    location: stored ? registry.get(copy.storageId).locate(copy.key) : null,
    file_size: copy.size ?? null,
    verified_at: copy.verifiedAt?.toISOString() ?? null,
    error: copy.error ? { ...copy.error } : null,
  };
}

/** A URL of the first verified copy in the host's order of stores. */
async function copyUrl(scene: SceneRecord, registry: StorageRegistry): Promise<string | null> {
  const copies = verifiedCopies(scene);
  for (const store of registry.all()) {
    const key = copies.find((copy) => copy.storageId === store.id)?.key;
    if (key === undefined) continue;
    if (!store.capabilities.signedUrl) return store.locate(key);
    // a store that cannot sign now must not hide where everything else is
    const [issued] = await Promise.allSettled([store.resolveUrl(key)]);
    return issued.status === 'fulfilled' ? issued.value.url : store.locate(key);
  }
  return null;
}

const sum = (values: readonly (number | null)[]): number =>
  values.reduce<number>((total, value) => total + (value ?? 0), 0);
