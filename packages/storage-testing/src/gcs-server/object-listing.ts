import { invalid } from './gcs-error.ts';
import type { GcsBucket, GcsObject } from './object-store.ts';

export interface ListingPage {
  readonly objects: readonly GcsObject[];
  readonly prefixes: readonly string[];
  readonly nextPageToken?: string;
}

const MAX_RESULTS = 1000;

/**
 * One page of `objects.list`: names in the order of their UTF-8 bytes; with a delimiter, what lies behind it is summed up
 * as a prefix, which counts as one result.
 * @throws GcsError 400 `invalid`
 */
export function listingPage(bucket: GcsBucket, query: URLSearchParams): ListingPage {
  const prefix = query.get('prefix') ?? '';
  const delimiter = query.get('delimiter') ?? '';
  const maxResults = Math.min(Number(query.get('maxResults') ?? MAX_RESULTS), MAX_RESULTS);
  if (!Number.isInteger(maxResults) || maxResults < 1) throw invalid('Invalid value for parameter maxResults.');
  const after = Buffer.from(query.get('pageToken') ?? '', 'base64');

  const results = new Map<string, GcsObject | undefined>();
  for (const [name, object] of bucket.objects) {
    if (!name.startsWith(prefix)) continue;
    const end = delimiter === '' ? -1 : name.indexOf(delimiter, prefix.length);
    const result = end < 0 ? name : name.slice(0, end + delimiter.length);
    // an object whose name ends with the delimiter is behind it, too
    results.set(result, end < 0 ? object : undefined);
  }
  const sorted = [...results]
    .map(([name, object]) => ({ name, object, bytes: Buffer.from(name) }))
    .filter(({ bytes }) => bytes.compare(after) > 0)
    .sort((a, b) => a.bytes.compare(b.bytes));
  const page = sorted.slice(0, maxResults);
  const last = page.at(-1);
  return {
    objects: page.flatMap(({ object }) => object ?? []),
    prefixes: page.flatMap(({ name, object }) => (object ? [] : name)),
    ...(last && sorted.length > page.length ? { nextPageToken: last.bytes.toString('base64') } : {}),
  };
}
