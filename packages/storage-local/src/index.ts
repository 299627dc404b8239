export type { LocalStorageOptions } from './local-options.ts';
export { LocalStorage } from './local-storage.ts';
export type { LinkVerdict } from './signed-link.ts';
