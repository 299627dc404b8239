import { z } from 'zod';
import { cloudStore } from './cloud-store.ts';

export const gcs = cloudStore({
  id: 'gcs',
  aliases: [],
  environment: {
    GCS_BUCKET_NAME: z.string().min(1).optional().describe('Bucket of the store `gcs`; switches it on.'),
    GOOGLE_APPLICATION_CREDENTIALS: z
      .string()
      .min(1)
      .optional()
      .describe(
        "Path of a key file. Without it Google's own chain is used: login, workload identity, metadata server.",
      ),
    GCS_PROJECT_ID: z.string().min(1).optional().describe('Project of the bucket; that of the credentials if absent.'),
    GCS_ENDPOINT: z
      .url({ protocol: /^https?$/, error: 'a URL like https://storage.example.com' })
      .optional()
      .describe('Another service that speaks the JSON API of Google Cloud Storage.'),
    GCS_PREFIX: z.string().min(1).optional().describe('Folder in the bucket that holds everything, such as `archive`.'),
    GCS_STORAGE_CLASS: z
      .enum(['STANDARD', 'NEARLINE', 'COLDLINE', 'ARCHIVE'])
      .optional()
      .describe("Storage class of what is stored; the bucket's own if absent."),
  },
  // GOOGLE_APPLICATION_CREDENTIALS is there for everything of Google's
  switches: ['GCS_BUCKET_NAME', 'GCS_PROJECT_ID', 'GCS_ENDPOINT', 'GCS_PREFIX', 'GCS_STORAGE_CLASS'],
  missing: (env) => (env.GCS_BUCKET_NAME === undefined ? ['GCS_BUCKET_NAME'] : []),
  async register(env) {
    const { GcsStorageModule } = await import('@paradoxon/storage-gcs/nest');
    return GcsStorageModule.register({
      id: 'gcs',
      bucket: env.GCS_BUCKET_NAME ?? '',
      ...(env.GOOGLE_APPLICATION_CREDENTIALS === undefined ? {} : { keyFilename: env.GOOGLE_APPLICATION_CREDENTIALS }),
      ...(env.GCS_PROJECT_ID === undefined ? {} : { projectId: env.GCS_PROJECT_ID }),
      ...(env.GCS_ENDPOINT === undefined ? {} : { endpoint: env.GCS_ENDPOINT }),
      ...(env.GCS_PREFIX === undefined ? {} : { prefix: env.GCS_PREFIX }),
      ...(env.GCS_STORAGE_CLASS === undefined ? {} : { storageClass: env.GCS_STORAGE_CLASS }),
    });
  },
});
