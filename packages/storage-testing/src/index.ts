export { describeStoragePlugin } from './describe-storage-plugin.ts';
export { type ConnectionFaults, type FaultProxy, startFaultProxy } from './fault-proxy.ts';
export type { CallFault, FaultPlan, OpenFault, PutFault } from './fault-plan.ts';
export { faultyStorage, type FaultyStorage } from './faulty-storage.ts';
export { type MemoryCapabilities, MemoryStorage } from './memory-storage.ts';
export {
  type GcsBucketOptions,
  type GcsCors,
  type GcsFault,
  type GcsMatcher,
  type GcsObject,
  type GcsRequest,
  type GcsServer,
  type GcsServerOptions,
  type GcsServiceAccountKey,
  type GcsServiceAccountOptions,
  type GcsSession,
  startGcsServer,
} from './gcs-server/index.ts';
export { generateVideo, type GeneratedVideo, type SourceFile } from './source-file.ts';
export {
  type SourceFault,
  type SourceRequest,
  type SourceServer,
  type SourceServerOptions,
  startSourceServer,
} from './source-server.ts';
export { storageContract } from './storage-contract.ts';
export type { ContractCase, StorageHarness } from './storage-harness.ts';
