import { Inject } from '@nestjs/common';

/** A string, not a Symbol(): two installed copies of this package must still agree on it. */
export const storageToken = (id: string): string => `storage:${id}`;

export const isStorageToken = (token: unknown): token is string =>
  typeof token === 'string' && token.startsWith('storage:');

/** The id in a token that `isStorageToken`. */
export const storageIdOf = (token: string): string => token.slice(storageToken('').length);

/** `constructor(@InjectStorage('s3-eu') store: StoragePlugin)` */
export const InjectStorage = (id: string): ReturnType<typeof Inject> => Inject(storageToken(id));
