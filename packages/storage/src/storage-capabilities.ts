import type { ChecksumAlgorithm } from './storage-plugin.ts';

/**
 * What a store can do. Read by users, by the planner and by the conformance suite: one statement, three readers.
 * What is `false` is refused with `UNSUPPORTED`, never quietly skipped.
 */
export interface StorageCapabilities {
  /** `put` and `delete`. */
  readonly write: boolean;
  /** Objects disappear by themselves; `head` reports `expiresAt` where it is known. */
  readonly expiring: boolean;
  readonly range: boolean;
  /** `ifMatch` of `open` and `delete`. */
  readonly ifMatch: boolean;
  /** `ifAbsent` of `put`: one winner among many writers. */
  readonly createIfAbsent: boolean;
  /** `put` of a body whose `size` is not known. */
  readonly unknownSize: boolean;
  readonly list: boolean;
  readonly sweepIncomplete: boolean;
  /** `false`, or the longest life of an issued URL, seconds. */
  readonly signedUrl: false | { readonly maxTtlSeconds: number };
  /** Whole-object checksums that the store's own answers carry; what a caller computes to compare. */
  readonly checksums: readonly ChecksumAlgorithm[];
  /** Largest object, bytes. */
  readonly maxObjectBytes: number;
}
