import { readFile } from 'node:fs/promises';
import { expect, it } from '@jest/globals';
import { DATABASE_ERRORS, EXPORT_ERRORS } from '../src/index.ts';

it.each<{ section: string; table: Record<string, { meaning: string }> }>([
  { section: 'Films and exports', table: EXPORT_ERRORS },
  { section: 'The database', table: DATABASE_ERRORS },
])('docs/errors.md lists exactly the codes of "$section", with the same meaning', async ({ section, table }) => {
  const page = await readFile(new URL('../../../docs/errors.md', import.meta.url), 'utf8');
  const text = page.split(/^## /m).find((each) => each.startsWith(section)) ?? '';

  const rows = [...text.matchAll(/^\| `([A-Z_]+)` *\| (.+?) *\|/gm)].map((row) => ({ code: row[1], meaning: row[2] }));

  expect(rows).toEqual(Object.entries(table).map(([code, { meaning }]) => ({ code, meaning })));
});
