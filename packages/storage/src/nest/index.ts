export { InjectStorage, isStorageToken, storageIdOf, storageToken } from './storage-token.ts';
export { storageModule } from './storage-module-base.ts';
export { StorageModule } from './storage.module.ts';
export { StorageRegistry } from './storage-registry.ts';
