import type { ObjectInfo } from '@paradoxon/storage';
import { z } from 'zod';

/** Of the JSON API's object resource, what is used here. @see https://cloud.google.com/storage/docs/json_api/v1/objects#resource */
export const objectResource = z.object({
  name: z.string(),
  size: z.coerce.number(),
  generation: z.string(),
  contentType: z.string().optional(),
  contentEncoding: z.string().optional(),
  cacheControl: z.string().optional(),
  metadata: z.record(z.string(), z.string()).optional(),
  /** Base64 of four bytes, big-endian. */
  crc32c: z.string().optional(),
  updated: z.string().optional(),
});
export type ObjectResource = z.infer<typeof objectResource>;

/** The `fields` parameter: nothing else is sent. */
export const OBJECT_FIELDS = Object.keys(objectResource.shape).join(',');

/** @param key the object's name without the store's prefix */
export function infoOf(key: string, resource: ObjectResource): ObjectInfo {
  const { size, generation, contentType, cacheControl, metadata, crc32c, updated } = resource;
  return {
    key,
    size,
    // unlike Google's etag it names the content only, and is what preconditions are made of
    etag: generation,
    ...(contentType === undefined ? {} : { contentType }),
    ...(cacheControl === undefined ? {} : { cacheControl }),
    metadata: metadata ?? {},
    ...(updated === undefined ? {} : { lastModified: new Date(updated) }),
    checksums: crc32c === undefined ? {} : { crc32c: Buffer.from(crc32c, 'base64').toString('hex') },
  };
}

/** A CRC-32C as Google writes it. */
export const base64Crc = (hex: string): string => Buffer.from(hex, 'hex').toString('base64');
