export type { Catalogue, FilmPage } from './catalogue/catalogue.ts';
export {
  type CopyRecord,
  type FilmRecord,
  type FilmSummary,
  type SceneRecord,
  type Strategy,
} from './catalogue/film-record.ts';
export { SqlCatalogue } from './catalogue/sql-catalogue.ts';
export {
  Converge,
  type ConvergeDependencies,
  type ConvergeOptions,
  type ConvergeOutcome,
} from './converge/converge.ts';
export { type Database, openDatabase } from './database/database.ts';
export { DATABASE_ERRORS, DatabaseError, type DatabaseErrorCode } from './database/database-error.ts';
export { EXPORT_ERRORS, ExportError, type ExportErrorCode } from './export-error.ts';
export { DATABASE, ExportModule, type ExportModuleOptions } from './export.module.ts';
export { ExportService, type ExportServiceOptions, type Playback, type WantedExport } from './export.service.ts';
export { type ExportInfo, exportInfoSchema } from './films/export-info.ts';
export { type FilmManifest, filmIdOf, filmManifestSchema } from './films/film-manifest.ts';
export { type ExportStatus, SCENE_STATES, type SceneState } from './films/scene-state.ts';
export { STRATEGIES } from './films/strategy.ts';
export { type ExportEventMap, ExportEvents } from './jobs/export-events.ts';
