import { ConfigurableModuleBuilder } from '@nestjs/common';
import type { StoragePlugin } from '../storage-plugin.ts';
import { storageToken } from './storage-token.ts';

/**
 * Base class for a plugin's module: gives it `register` and `registerAsync`.
 * `id` sits beside the options, not inside their factory, because the token is needed before the options exist.
 */
export function storageModule<Options extends object>(
  defaultId: string,
  create: (id: string, options: Options) => StoragePlugin | Promise<StoragePlugin>,
) {
  const OPTIONS = Symbol('storage options');
  return new ConfigurableModuleBuilder<Options>({ optionsInjectionToken: OPTIONS })
    .setExtras({ id: defaultId }, (definition, { id }) => ({
      ...definition,
      providers: [
        ...(definition.providers ?? []),
        { provide: storageToken(id), inject: [OPTIONS], useFactory: (options: Options) => create(id, options) },
      ],
      exports: [storageToken(id)],
    }))
    .build().ConfigurableModuleClass;
}
