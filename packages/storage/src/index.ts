export { type ByteRange, parseRange, type RangeAnswer, rangeHeader, resolveRange } from './byte-range.ts';
export { assertObjectKey, isObjectKey, MAX_KEY_BYTES, MAX_SEGMENT_BYTES } from './object-key.ts';
export { redactUrls } from './redact-urls.ts';
export type { StorageCapabilities } from './storage-capabilities.ts';
export {
  type Committed,
  type ErrorScope,
  type RetryAdvice,
  STORAGE_ERRORS,
  StorageError,
  type StorageErrorCode,
  type StorageErrorDetails,
} from './storage-error.ts';
export {
  type ByteSource,
  type CallOptions,
  type CheckLevel,
  type CheckReport,
  type CheckStep,
  type ChecksumAlgorithm,
  type Checksums,
  type DeleteOptions,
  type IssuedUrl,
  type ObjectInfo,
  type OpenedObject,
  type OpenOptions,
  type PutOptions,
  STORAGE_API_VERSION,
  type StoragePlugin,
  type StoredObject,
  type SweepReport,
  type UrlOptions,
} from './storage-plugin.ts';
