import { Body, Controller, Get, HttpCode, Inject, Param, Post, Query, Res } from '@nestjs/common';
import {
  ApiAcceptedResponse,
  ApiBody,
  ApiCreatedResponse,
  ApiDefaultResponse,
  ApiOkResponse,
  ApiOperation,
  ApiTags,
} from '@nestjs/swagger';
import { type ExportInfo, ExportService, type FilmManifest, filmManifestSchema } from '@paradoxon/export';
import type { Response } from 'express';
import type { z } from 'zod';
import { problemContent } from '../problem-response.ts';
import { exportRequest, filmId, filmsQuery, saveFilmQuery } from './film-requests.ts';
import { exportResponse, filmsResponse, filmSummaryOf } from './film-responses.ts';

@ApiTags('films')
@ApiDefaultResponse({ description: 'A problem', ...problemContent })
@Controller('v1/films')
export class FilmsController {
  readonly #exports: ExportService;

  constructor(@Inject(ExportService) exports: ExportService) {
    this.#exports = exports;
  }

  @Post()
  @ApiOperation({
    summary: 'Store a film and archive its scenes',
    description: 'The same film again changes nothing (200).',
  })
  @ApiCreatedResponse({ description: 'Stored', standardSchema: exportResponse })
  @ApiOkResponse({ description: 'Known already', standardSchema: exportResponse })
  async save(
    @Body({ schema: filmManifestSchema }) manifest: FilmManifest,
    @Query({ schema: saveFilmQuery }) query: z.infer<typeof saveFilmQuery>,
    @Res({ passthrough: true }) response: Response,
  ): Promise<{ export_info: ExportInfo }> {
    const { film, created } = await this.#exports.saveFilm(manifest, { autoUpload: query.auto_upload === 'true' });
    response.status(created ? 201 : 200).location(`/v1/films/${film.id}`);
    return { export_info: await this.#exports.exportInfo(film.id) };
  }

  @Get()
  @ApiOperation({ summary: 'Films, the newest first' })
  @ApiOkResponse({ standardSchema: filmsResponse })
  async list(@Query({ schema: filmsQuery }) query: z.infer<typeof filmsQuery>): Promise<z.infer<typeof filmsResponse>> {
    const { films, next } = await this.#exports.films({
      limit: query.limit,
      ...(query.before === undefined ? {} : { before: query.before }),
    });
    return { films: films.map(filmSummaryOf), next: next ?? null };
  }

  @Get(':film_id')
  @ApiOperation({ summary: 'A film with its scenes, their copies and deadlines' })
  @ApiOkResponse({ standardSchema: exportResponse })
  async one(@Param('film_id', { schema: filmId }) id: string): Promise<{ export_info: ExportInfo }> {
    return { export_info: await this.#exports.exportInfo(id) };
  }

  @Post(':film_id/export')
  @HttpCode(202)
  @ApiOperation({ summary: 'State (again) which copies are wanted, and make them' })
  @ApiBody({ required: false })
  @ApiAcceptedResponse({ standardSchema: exportResponse })
  async export(
    @Param('film_id', { schema: filmId }) id: string,
    @Body({ schema: exportRequest.optional() }) wanted: z.infer<typeof exportRequest> | undefined,
  ): Promise<{ export_info: ExportInfo }> {
    await this.#exports.exportFilm(id, wanted);
    return { export_info: await this.#exports.exportInfo(id) };
  }

  @Get(':film_id/export')
  @ApiOperation({ summary: 'How the export stands' })
  @ApiOkResponse({ standardSchema: exportResponse })
  exportInfo(@Param('film_id', { schema: filmId }) id: string): Promise<{ export_info: ExportInfo }> {
    return this.one(id);
  }
}
