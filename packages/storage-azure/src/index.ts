export type { AzureStorageOptions } from './azure-options.ts';
export { AzureStorage } from './azure-storage.ts';
