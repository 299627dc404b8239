import { z } from 'zod';
import { cloudStore } from './cloud-store.ts';

export const azure = cloudStore({
  id: 'azure',
  aliases: ['azure_blob'],
  environment: {
    AZURE_STORAGE_ACCOUNT_URL: z
      .url({ protocol: /^https?$/, error: 'a URL like https://account.blob.core.windows.net' })
      .optional()
      .describe('Blob endpoint of the storage account of the store `azure`.'),
    AZURE_CONTAINER_NAME: z.string().min(1).optional().describe('Container of the store `azure`; switches it on.'),
    AZURE_STORAGE_CREDENTIAL: z
      .string()
      .min(1)
      .optional()
      .describe(
        "Account key, SAS token or connection string. Without it Azure's own chain is used: environment, workload and managed identity, login.",
      ),
    AZURE_PREFIX: z
      .string()
      .min(1)
      .optional()
      .describe('Folder in the container that holds everything, such as `archive`.'),
    AZURE_ACCESS_TIER: z
      .enum(['Hot', 'Cool', 'Cold'])
      .optional()
      .describe("Access tier of what is stored; the account's own if absent."),
  },
  switches: [
    'AZURE_STORAGE_ACCOUNT_URL',
    'AZURE_CONTAINER_NAME',
    'AZURE_STORAGE_CREDENTIAL',
    'AZURE_PREFIX',
    'AZURE_ACCESS_TIER',
  ],
  missing: (env) => [
    ...(env.AZURE_CONTAINER_NAME === undefined ? ['AZURE_CONTAINER_NAME'] : []),
    ...(env.AZURE_STORAGE_ACCOUNT_URL === undefined && !isConnectionString(env.AZURE_STORAGE_CREDENTIAL)
      ? ['AZURE_STORAGE_ACCOUNT_URL']
      : []),
  ],
  async register(env) {
    const { AzureStorageModule } = await import('@paradoxon/storage-azure/nest');
    return AzureStorageModule.register({
      id: 'azure',
      container: env.AZURE_CONTAINER_NAME ?? '',
      ...(env.AZURE_STORAGE_ACCOUNT_URL === undefined ? {} : { accountUrl: env.AZURE_STORAGE_ACCOUNT_URL }),
      ...(env.AZURE_STORAGE_CREDENTIAL === undefined ? {} : { credential: env.AZURE_STORAGE_CREDENTIAL }),
      ...(env.AZURE_PREFIX === undefined ? {} : { prefix: env.AZURE_PREFIX }),
      ...(env.AZURE_ACCESS_TIER === undefined ? {} : { accessTier: env.AZURE_ACCESS_TIER }),
    });
  },
});

/** It names the account itself. */
const isConnectionString = (credential = ''): boolean => /(^|;)(AccountName|BlobEndpoint)=/i.test(credential);
