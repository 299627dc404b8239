import { randomUUID } from 'node:crypto';
import {
  BlobServiceClient,
  type BlobSASSignatureValues,
  type ContainerClient,
  ContainerSASPermissions,
  generateBlobSASQueryParameters,
  StorageSharedKeyCredential,
} from '@azure/storage-blob';
import { type AzureEmulator, startAzurite } from '@paradoxon/emulators';
import { afterAll, afterEach, beforeAll } from '@jest/globals';
import type { StoragePlugin } from '@paradoxon/storage';
import { AzureStorage, type AzureStorageOptions } from '../src/index.ts';
import { type AnswerProxy, startAnswerProxy } from './answer-proxy.ts';
import { KiB } from './bodies.ts';

/** One Azurite for a test file, and in it a fresh container for whoever asks. */
export interface TestAccount {
  readonly server: () => AzureEmulator;
  readonly service: () => BlobServiceClient;
  readonly container: () => Promise<ContainerClient>;
  /** A store over a fresh container, closed after the test. */
  readonly store: (options?: Partial<AzureStorageOptions>) => Promise<AzureStorage>;
  /** The same with a proxy before Azurite, and blocks of 64 KiB. */
  readonly proxied: (
    options?: Partial<AzureStorageOptions>,
  ) => Promise<{ proxy: AnswerProxy; store: AzureStorage; container: ContainerClient }>;
}

export function useAzurite(): TestAccount {
  let server: AzureEmulator;
  let service: BlobServiceClient;
  const stores: StoragePlugin[] = [];
  const proxies: AnswerProxy[] = [];
  beforeAll(async () => {
    server = await startAzurite();
    service = new BlobServiceClient(
      server.endpoint,
      new StorageSharedKeyCredential(server.accountName, server.accountKey),
    );
  }, 60_000);
  afterEach(async () => {
    for (const store of stores.splice(0)) await store.close?.();
    for (const proxy of proxies.splice(0)) await proxy.close();
  });
  afterAll(() => server.stop());

  const container = async (): Promise<ContainerClient> => {
    const made = service.getContainerClient(`films-${randomUUID()}`);
    await made.create();
    return made;
  };
  const store = async (options: Partial<AzureStorageOptions> = {}): Promise<AzureStorage> => {
    const made = new AzureStorage('az', {
      accountUrl: server.endpoint,
      container: options.container ?? (await container()).containerName,
      credential: server.accountKey,
      ...options,
    });
    stores.push(made);
    return made;
  };
  return {
    server: () => server,
    service: () => service,
    container,
    store,
    proxied: async (options = {}) => {
      const proxy = await startAnswerProxy(server.endpoint);
      proxies.push(proxy);
      const made = await container();
      const { containerName } = made;
      const accountUrl = proxy.endpoint;
      return {
        proxy,
        container: made,
        store: await store({ accountUrl, container: containerName, partBytes: 64 * KiB, ...options }),
      };
    },
  };
}

/** A SAS token for one container. @param permissions letters, as in `rwdl` */
export function sasFor(
  { accountName, accountKey }: AzureEmulator,
  containerName: string,
  permissions: string,
  more: Partial<BlobSASSignatureValues> = {},
): string {
  return generateBlobSASQueryParameters(
    {
      containerName,
      permissions: ContainerSASPermissions.parse(permissions),
      expiresOn: new Date(Date.now() + 3_600_000),
      ...more,
    },
    new StorageSharedKeyCredential(accountName, accountKey),
  ).toString();
}

/** Everything that is physically there: blobs, and those that have only blocks yet. */
export async function everythingIn(container: ContainerClient): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of container.listBlobsFlat({ includeUncommitedBlobs: true, includeSnapshots: true })) {
    names.push(name);
  }
  return names;
}
