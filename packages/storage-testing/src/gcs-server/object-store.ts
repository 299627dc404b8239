import { type ChecksumClaims, checksumsOf, demandChecksums } from './checksum-claims.ts';
import { invalid, noSuchBucket, noSuchObject } from './gcs-error.ts';
import type { ObjectMetadata } from './object-metadata.ts';
import { demandForWrite, type Preconditions } from './preconditions.ts';

/** One entry of a bucket's CORS configuration, in the words of the JSON API. */
export interface GcsCors {
  readonly origin: readonly string[];
  readonly method: readonly string[];
  /** Headers that a page may send and read. */
  readonly responseHeader?: readonly string[];
  readonly maxAgeSeconds?: number;
}

/** What `buckets.get` answers beside the name. */
export interface GcsBucketOptions {
  readonly cors?: readonly GcsCors[];
  /** Default `US`. */
  readonly location?: string;
  /** Default `STANDARD`; the objects' default, too. */
  readonly storageClass?: string;
  readonly lifecycle?: { readonly rule: readonly object[] };
}

export interface GcsObject {
  readonly name: string;
  readonly bytes: Uint8Array;
  /** Grows with every write to any object of the server. */
  readonly generation: number;
  readonly metageneration: number;
  readonly metadata: ObjectMetadata;
  /** Base64; of the bytes as they arrived. */
  readonly crc32c: string;
  /** Base64. */
  readonly md5Hash: string;
  readonly timeCreated: Date;
  readonly updated: Date;
}

export interface GcsBucket {
  readonly name: string;
  readonly options: GcsBucketOptions;
  readonly created: Date;
  readonly objects: Map<string, GcsObject>;
}

/** An object on its way in. */
export interface Arrival {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly metadata: ObjectMetadata;
  readonly claims: ChecksumClaims;
  readonly conditions: Preconditions;
}

const MAX_NAME_BYTES = 1024;

/** Everything that is stored, in memory. */
export class ObjectStore {
  readonly #buckets: ReadonlyMap<string, GcsBucket>;
  readonly #now: () => Date;
  #generation = 0;

  constructor(buckets: Readonly<Record<string, GcsBucketOptions>>, now: () => Date) {
    this.#now = now;
    this.#buckets = new Map(
      Object.entries(buckets).map(([name, options]) => [
        name,
        { name, options, created: now(), objects: new Map<string, GcsObject>() },
      ]),
    );
  }

  /** @throws GcsError 404 */
  bucket(name: string): GcsBucket {
    const bucket = this.#buckets.get(name);
    if (!bucket) throw noSuchBucket();
    return bucket;
  }

  /**
   * @param generation only this one: there are no older ones
   * @throws GcsError 404
   */
  object(bucket: GcsBucket, name: string, generation?: number): GcsObject {
    const object = bucket.objects.get(name);
    if (!object || (generation !== undefined && generation !== object.generation)) {
      throw noSuchObject(bucket.name, name);
    }
    return object;
  }

  /**
   * Stores all of it or nothing.
   * @throws GcsError 400 `invalid` for a checksum that is wrong or a name that cannot be, 412
   */
  insert(bucket: GcsBucket, { name, bytes, metadata, claims, conditions }: Arrival): GcsObject {
    demandName(name);
    const checksums = checksumsOf(bytes);
    demandChecksums(claims, checksums);
    demandForWrite(conditions, bucket.objects.get(name));
    const now = this.#now();
    // microseconds, as there; strictly growing, also within one of them
    this.#generation = Math.max(this.#generation + 1, now.getTime() * 1000);
    const object: GcsObject = {
      name,
      bytes,
      generation: this.#generation,
      metageneration: 1,
      metadata,
      ...checksums,
      timeCreated: now,
      updated: now,
    };
    bucket.objects.set(name, object);
    return object;
  }

  /** Replaces the metadata: another metageneration of the same generation. */
  update(bucket: GcsBucket, object: GcsObject, metadata: ObjectMetadata): GcsObject {
    const updated = { ...object, metadata, metageneration: object.metageneration + 1, updated: this.#now() };
    bucket.objects.set(object.name, updated);
    return updated;
  }

  /** Replaces the bytes only: the checksums stay those of the bytes that arrived. */
  replaceBytes(bucket: GcsBucket, object: GcsObject, bytes: Uint8Array): void {
    bucket.objects.set(object.name, { ...object, bytes });
  }
}

/** @see https://cloud.google.com/storage/docs/objects#naming */
function demandName(name: string): void {
  const bytes = Buffer.byteLength(name);
  if (bytes === 0 || bytes > MAX_NAME_BYTES || /[\r\n]/.test(name) || name === '.' || name === '..') {
    throw invalid('Invalid object name.');
  }
}
