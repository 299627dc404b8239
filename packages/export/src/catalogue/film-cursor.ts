import { DatabaseError } from '../database/database-error.ts';

/** After which film a page of films ended: its age and, among those of one millisecond, its id. */
export interface FilmCursor {
  readonly createdAt: Date;
  readonly id: string;
}

export const formatCursor = ({ createdAt, id }: FilmCursor): string =>
  Buffer.from(`${createdAt.toISOString()} ${id}`).toString('base64url');

/** @throws DatabaseError `INVALID_CURSOR` */
export function parseCursor(text: string): FilmCursor {
  const [, time, id] =
    /^(\d{4}-\S+) ([A-Za-z0-9_-]{1,64})$/.exec(Buffer.from(text, 'base64url').toString('utf8')) ?? [];
  const createdAt = new Date(time ?? Number.NaN);
  if (id !== undefined && !Number.isNaN(createdAt.getTime())) return { createdAt, id };
  throw new DatabaseError('INVALID_CURSOR', 'This cursor was not given out by us. Begin with the first page.');
}
