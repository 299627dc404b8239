import type { ObjectInfo } from '@paradoxon/storage';
import { fromAzureMetadata } from './metadata-names.ts';

/** What head, download and list have in common. */
export interface BlobProperties {
  readonly etag?: string | undefined;
  readonly contentType?: string | undefined;
  readonly cacheControl?: string | undefined;
  readonly lastModified?: Date | undefined;
  /** Of the whole blob. */
  readonly contentMD5?: Uint8Array | undefined;
  readonly metadata?: Readonly<Record<string, string>> | undefined;
}

/** @param size bytes of the whole blob */
export function infoOf(key: string, size: number, properties: BlobProperties): ObjectInfo {
  const { etag, contentType, cacheControl, lastModified, contentMD5, metadata } = properties;
  return {
    key,
    size,
    // a list gives it without the quotes that If-Match wants
    ...(etag ? { etag: etag.startsWith('"') ? etag : `"${etag}"` } : {}),
    ...(contentType ? { contentType } : {}),
    ...(cacheControl ? { cacheControl } : {}),
    ...(lastModified ? { lastModified } : {}),
    metadata: fromAzureMetadata(metadata),
    checksums: contentMD5?.byteLength ? { md5: Buffer.from(contentMD5).toString('hex') } : {},
  };
}
