export { type AzureEmulator, type AzuriteOptions, startAzurite } from './azurite.ts';
export { type CephEmulator, type CephOptions, startCeph } from './ceph.ts';
export { missingCeph } from './ceph-programs.ts';
export type { Emulator, EmulatorOptions } from './emulator.ts';
export { type S3Emulator, startFauxqs } from './fauxqs.ts';
export { type GcsEmulator, startFirebaseStorage } from './firebase-storage.ts';
export { ensureServers } from './installation.ts';
