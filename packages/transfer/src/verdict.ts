import type { Checksums, StorageError, StoredObject } from '@paradoxon/storage';
import type { VideoType } from './video-type.ts';

/** What was read. */
export interface TransferContent {
  /** Bytes. */
  readonly size: number;
  readonly sha256: string;
  /** SHA-256 and whatever else the targets or the source can be compared by. */
  readonly checksums: Checksums;
  readonly video: VideoType;
}

/** What became of one target. */
export type Verdict =
  | {
      readonly ok: true;
      readonly store: string;
      readonly key: string;
      readonly stored: StoredObject;
      /** The same object was there already. */
      readonly reused: boolean;
    }
  | {
      readonly ok: false;
      readonly store: string;
      /** Absent when the source failed before the key was known. */
      readonly key?: string;
      /** `scope` says whose fault it is, `committed` whether something may lie there. */
      readonly error: StorageError;
    };
