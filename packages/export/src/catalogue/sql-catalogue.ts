import type { Database } from '../database/database.ts';
import type { Catalogue } from './catalogue.ts';

/** The catalogue in PostgreSQL. */
export declare class SqlCatalogue implements Catalogue {
  constructor(database: Pick<Database, 'db'>);
  saveFilm: Catalogue['saveFilm'];
  film: Catalogue['film'];
  films: Catalogue['films'];
  wantCopies: Catalogue['wantCopies'];
  scene: Catalogue['scene'];
  sceneById: Catalogue['sceneById'];
  scenesWithGaps: Catalogue['scenesWithGaps'];
  recordContent: Catalogue['recordContent'];
  recordCopy: Catalogue['recordCopy'];
  recordSourceError: Catalogue['recordSourceError'];
  recordDeadline: Catalogue['recordDeadline'];
  deleteFilm: Catalogue['deleteFilm'];
}
