import { Controller, Get, Inject, Param, Req, Res } from '@nestjs/common';
import { ApiDefaultResponse, ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import { ExportService } from '@paradoxon/export';
import { serveObject } from '@paradoxon/storage/http';
import { StorageRegistry } from '@paradoxon/storage/nest';
import type { Request, Response } from 'express';
import { filmId, sceneNumber } from '../films/film-requests.ts';
import { problemContent } from '../problem-response.ts';

const video = { content: { 'video/mp4': { schema: { type: 'string', format: 'binary' } } } };

@ApiTags('playback')
@Controller('v1/films')
export class VideoController {
  readonly #exports: ExportService;
  readonly #registry: StorageRegistry;

  constructor(@Inject(ExportService) exports: ExportService, @Inject(StorageRegistry) registry: StorageRegistry) {
    this.#exports = exports;
    this.#registry = registry;
  }

  /** HEAD comes here too: Nest's router answers it with the GET handler. */
  @Get(':film_id/scenes/:scene_number/video')
  @ApiOperation({
    summary: 'Play a scene',
    description: 'From the best place there is: a redirect, or the bytes themselves.',
  })
  @ApiResponse({ status: 200, description: 'The video', ...video })
  @ApiResponse({ status: 206, description: 'The range asked for', ...video })
  @ApiResponse({ status: 302, description: 'To the direct URL, while it is alive' })
  @ApiResponse({ status: 304, description: 'The client has this version' })
  @ApiResponse({ status: 404, description: 'FILM_NOT_FOUND, SCENE_NOT_FOUND, PLACEHOLDER', ...problemContent })
  @ApiResponse({ status: 409, description: 'NOT_ARCHIVED, SOURCE_NOT_READY', ...problemContent })
  @ApiResponse({ status: 410, description: 'NOTHING_PLAYABLE, SOURCE_EXPIRED', ...problemContent })
  @ApiResponse({ status: 416, description: 'The range is behind the end; without a body' })
  @ApiDefaultResponse({ description: 'A problem', ...problemContent })
  async video(
    @Param('film_id', { schema: filmId }) id: string,
    @Param('scene_number', { schema: sceneNumber }) scene: number,
    @Req() request: Request,
    @Res() response: Response,
  ): Promise<void> {
    const playback = await this.#exports.playback(id, scene);
    // players on other sites may embed it
    response.set('cross-origin-resource-policy', 'cross-origin').set('access-control-allow-origin', '*');
    if (playback.via === 'direct') {
      // the URL dies: nobody may keep the way to it
      response.set('cache-control', 'no-store').redirect(302, playback.url);
      return;
    }
    const { storage, key } = playback;
    await serveObject(this.#registry.get(storage), key, request, response, {
      contentDisposition: `inline; filename="${id}-${scene}${key.slice(key.lastIndexOf('.'))}"`,
    });
  }
}
