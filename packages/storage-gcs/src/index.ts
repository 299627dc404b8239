export type { GcsStorageOptions } from './gcs-options.ts';
export { GcsStorage } from './gcs-storage.ts';
