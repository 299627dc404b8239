import { readFile } from 'node:fs/promises';
import { expect, it } from '@jest/globals';
import { API_ERRORS } from '../src/api-error.ts';

it('docs/errors.md lists exactly the codes of requests, with the same meaning and status', async () => {
  const page = await readFile(new URL('../../../docs/errors.md', import.meta.url), 'utf8');
  const text = page.split(/^## /m).find((each) => each.startsWith('Requests\n')) ?? '';

  const rows = [...text.matchAll(/^\| `([A-Z_]+)` *\| (.+?) *\| (\d+) /gm)].map((row) => row.slice(1));

  expect(rows).toEqual(
    Object.entries(API_ERRORS).map(([code, { meaning, status }]) => [code, meaning, String(status)]),
  );
});
