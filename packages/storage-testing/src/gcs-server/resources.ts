import type { GcsBucket, GcsObject } from './object-store.ts';

/** What `buckets.get` answers. */
export function bucketResource({ name, options, created }: GcsBucket): object {
  const { cors, lifecycle, location = 'US', storageClass = 'STANDARD' } = options;
  return {
    kind: 'storage#bucket',
    id: name,
    name,
    projectNumber: '123456789012',
    metageneration: '1',
    etag: 'CAE=',
    location,
    locationType: location === 'US' || location === 'EU' || location === 'ASIA' ? 'multi-region' : 'region',
    storageClass,
    timeCreated: created.toISOString(),
    updated: created.toISOString(),
    iamConfiguration: { uniformBucketLevelAccess: { enabled: true }, publicAccessPrevention: 'inherited' },
    ...(cors ? { cors } : {}),
    ...(lifecycle ? { lifecycle } : {}),
  };
}

/** What `objects.get` answers: 64-bit numbers are strings. */
export function objectResource(origin: string, bucket: GcsBucket, object: GcsObject): object {
  const { name, generation, metageneration, metadata, timeCreated, updated } = object;
  const path = `b/${encodeURIComponent(bucket.name)}/o/${encodeURIComponent(name)}`;
  return {
    kind: 'storage#object',
    id: `${bucket.name}/${name}/${generation}`,
    selfLink: `${origin}/storage/v1/${path}`,
    mediaLink: `${origin}/download/storage/v1/${path}?generation=${generation}&alt=media`,
    name,
    bucket: bucket.name,
    generation: String(generation),
    metageneration: String(metageneration),
    storageClass: bucket.options.storageClass ?? 'STANDARD',
    ...metadata,
    size: String(object.bytes.byteLength),
    md5Hash: object.md5Hash,
    crc32c: object.crc32c,
    etag: etagOf(object),
    timeCreated: timeCreated.toISOString(),
    updated: updated.toISOString(),
    timeStorageClassUpdated: timeCreated.toISOString(),
  };
}

/** Opaque, and another one for every generation and metageneration. */
export function etagOf({ generation, metageneration }: GcsObject): string {
  return Buffer.from(`${generation}/${metageneration}`).toString('base64');
}
