import { isObjectKey, type ObjectInfo } from '@paradoxon/storage';
import { z } from 'zod';
import type { GcsClient } from './gcs-client.ts';
import type { GcsCall } from './gcs-errors.ts';
import { infoOf, OBJECT_FIELDS, objectResource } from './object-resource.ts';

const page = z.object({ items: z.array(objectResource).optional(), nextPageToken: z.string().optional() });

/**
 * All objects below the store's prefix whose keys start with another one, page by page as they are asked for.
 * @param root the store's prefix, which keys do not have
 */
export async function* listedObjects(
  client: GcsClient,
  call: GcsCall,
  root: string,
  prefix: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<ObjectInfo> {
  for (let pageToken: string | undefined; ;) {
    const fields = `items(${OBJECT_FIELDS}),nextPageToken`;
    const url = client.objectUrl(undefined, { prefix: root + prefix || undefined, pageToken, fields });
    const { items = [], nextPageToken } = await client.ask(call, { method: 'GET', url, signal }, page);
    for (const resource of items) {
      const key = resource.name.slice(root.length);
      if (isObjectKey(key)) yield infoOf(key, resource);
    }
    if (nextPageToken === undefined) return;
    pageToken = nextPageToken;
  }
}
