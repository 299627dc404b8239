import { randomUUID } from 'node:crypto';
import { BlobServiceClient, type ContainerClient, StorageSharedKeyCredential } from '@azure/storage-blob';
import { type AzureEmulator, startAzurite } from '@paradoxon/emulators';
import { afterAll, afterEach, beforeAll } from '@jest/globals';
import type { StoragePlugin } from '@paradoxon/storage';
import { AzureStorage, type AzureStorageOptions } from '../src/index.ts';

/** One Azurite for a test file, and in it a fresh container for whoever asks. */
export interface TestAccount {
  readonly server: () => AzureEmulator;
  readonly service: () => BlobServiceClient;
  readonly container: () => Promise<ContainerClient>;
  /** A store over a fresh container, closed after the test. */
  readonly store: (options?: Partial<AzureStorageOptions>) => Promise<AzureStorage>;
}

export function useAzurite(): TestAccount {
  let server: AzureEmulator;
  let service: BlobServiceClient;
  const stores: StoragePlugin[] = [];
  beforeAll(async () => {
    server = await startAzurite();
    service = new BlobServiceClient(
      server.endpoint,
      new StorageSharedKeyCredential(server.accountName, server.accountKey),
    );
  }, 60_000);
  afterEach(async () => {
    for (const store of stores.splice(0)) await store.close?.();
  });
  afterAll(() => server.stop());

  const container = async (): Promise<ContainerClient> => {
    const made = service.getContainerClient(`films-${randomUUID()}`);
    await made.create();
    return made;
  };
  return {
    server: () => server,
    service: () => service,
    container,
    store: async (options = {}) => {
      const { containerName } = options.container === undefined ? await container() : { containerName: '' };
      const store = new AzureStorage('az', {
        accountUrl: server.endpoint,
        container: containerName,
        credential: server.accountKey,
        ...options,
      });
      stores.push(store);
      return store;
    },
  };
}

/** Everything that is physically there: blobs, and those that have only blocks yet. */
export async function everythingIn(container: ContainerClient): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of container.listBlobsFlat({ includeUncommitedBlobs: true, includeSnapshots: true })) {
    names.push(name);
  }
  return names;
}
