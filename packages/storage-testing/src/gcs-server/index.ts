export type { GcsFault, GcsMatcher } from './gcs-faults.ts';
export { type GcsRequest, type GcsServer, type GcsServerOptions, startGcsServer } from './gcs-server.ts';
export type { GcsBucketOptions, GcsCors, GcsObject } from './object-store.ts';
export type { GcsServiceAccountKey, GcsServiceAccountOptions } from './service-accounts.ts';
export type { GcsSession } from './upload-sessions.ts';
