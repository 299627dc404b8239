import type { OnApplicationShutdown } from '@nestjs/common';
import { StorageError } from '../storage-error.ts';
import { STORAGE_API_VERSION, type StoragePlugin } from '../storage-plugin.ts';

const ID = /^[a-z0-9][a-z0-9-]{0,62}$/;

/** The stores of one host, by id. Plugins are listed, not discovered: what is not handed in does not exist. */
export class StorageRegistry implements OnApplicationShutdown {
  readonly #stores = new Map<string, StoragePlugin>();

  constructor(stores: readonly StoragePlugin[] = []) {
    for (const store of stores) this.add(store);
  }

  /** @throws StorageError `DUPLICATE_ID`, or `INVALID_CONFIG` for another `apiVersion` or an id that is no id */
  add(store: StoragePlugin): void {
    // a plugin of another version says something that this version's types do not know
    const apiVersion: number = store.apiVersion;
    if (apiVersion !== STORAGE_API_VERSION) {
      throw new StorageError(
        'INVALID_CONFIG',
        `Storage "${store.id}" speaks contract version ${String(apiVersion)}; this host speaks ` +
          `${STORAGE_API_VERSION}. Install a version of the plugin made for @paradoxon/storage ${STORAGE_API_VERSION}.`,
        { scope: 'local', storage: store.id },
      );
    }
    if (!ID.test(store.id)) {
      throw new StorageError(
        'INVALID_CONFIG',
        `"${store.id}" is no storage id: lower case, digits and dashes, 1 to 63.`,
        {
          scope: 'local',
        },
      );
    }
    if (this.#stores.has(store.id)) {
      throw new StorageError('DUPLICATE_ID', `Two storages are called "${store.id}". Give one of them another id.`, {
        scope: 'local',
        storage: store.id,
      });
    }
    this.#stores.set(store.id, store);
  }

  /** @throws StorageError `UNKNOWN_STORAGE`, naming those that exist */
  get(id: string): StoragePlugin {
    const store = this.#stores.get(id);
    if (store) return store;
    throw new StorageError(
      'UNKNOWN_STORAGE',
      `No storage "${id}". Registered: ${[...this.#stores.keys()].join(', ') || 'none'}.`,
      { scope: 'local', storage: id },
    );
  }

  has(id: string): boolean {
    return this.#stores.has(id);
  }

  /** In the order of registration. */
  all(): readonly StoragePlugin[] {
    return [...this.#stores.values()];
  }

  async onApplicationShutdown(): Promise<void> {
    await Promise.all(this.all().map(async (store) => store.close?.()));
  }
}
