import { type DynamicModule, Module } from '@nestjs/common';
import type { StoragePlugin } from '../storage-plugin.ts';
import { StorageRegistry } from './storage-registry.ts';
import { isStorageToken } from './storage-token.ts';

@Module({})
export class StorageModule {
  /** Any module that exports a `storage:<id>` token is a plugin, ours or not. */
  static forRoot(plugins: readonly DynamicModule[]): DynamicModule {
    return {
      module: StorageModule,
      global: true,
      imports: [...plugins],
      providers: [
        {
          provide: StorageRegistry,
          inject: plugins
            .flatMap((plugin) => (Array.isArray(plugin.exports) ? plugin.exports : []))
            .filter(isStorageToken),
          useFactory: (...stores: StoragePlugin[]) => new StorageRegistry(stores),
        },
      ],
      // with the plugins, so that @InjectStorage works wherever the registry does
      exports: [StorageRegistry, ...plugins],
    };
  }
}
