// Three clouds on this machine: real servers that speak S3, Google Cloud Storage and Azure Blob, with their data in a folder.
import { join } from 'node:path';
import type { StoragePlugin } from '@paradoxon/storage';
import { type Emulator, ensureServers, startAzurite, startFauxqs, startFirebaseStorage } from '@paradoxon/emulators';
import { AzureStorage } from '@paradoxon/storage-azure';
import { GcsStorage } from '@paradoxon/storage-gcs';
import { S3Storage } from '@paradoxon/storage-s3';

const BUCKET = 'films';

export interface Clouds {
  /** What a Paradoxon process needs to use them. */
  readonly environment: Readonly<Record<string, string>>;
  /** By id, for a look at what is in them. */
  readonly stores: ReadonlyMap<string, StoragePlugin>;
  stop(): Promise<void>;
}

/** @param folder where they keep their data; another start over the same folder finds it again */
export async function startClouds(folder: string): Promise<Clouds> {
  await ensureServers();
  const started: Emulator[] = [];
  const stores = new Map<string, StoragePlugin>();
  const stop = async (): Promise<void> => {
    for (const store of stores.values()) await store.close?.();
    await Promise.all(started.map((emulator) => emulator.stop()));
  };
  const running = async <E extends Emulator>(starting: Promise<E>): Promise<E> => {
    const emulator = await starting;
    started.push(emulator);
    return emulator;
  };
  try {
    const s3 = await running(startFauxqs({ folder: join(folder, 's3') }));
    const gcs = await running(startFirebaseStorage({ folder: join(folder, 'gcs') }));
    const azure = await running(startAzurite({ folder: join(folder, 'azure') }));
    const { accessKeyId, secretAccessKey } = s3;
    stores.set(
      's3',
      new S3Storage('s3', {
        bucket: BUCKET,
        endpoint: s3.endpoint,
        credentials: { accessKeyId, secretAccessKey },
        // this server ignores conditions, and keeps no whole object's CRC32C
        conditionalWrites: false,
        requestChecksumCalculation: 'WHEN_REQUIRED',
      }),
    );
    // Google's client knows this server by this variable only
    process.env['STORAGE_EMULATOR_HOST'] = gcs.endpoint;
    stores.set('gcs', new GcsStorage('gcs', { bucket: BUCKET }));
    const container = new AzureStorage('azure', {
      container: BUCKET,
      accountUrl: azure.endpoint,
      credential: azure.accountKey,
    });
    stores.set('azure', container);
    await gcs.createBucket(BUCKET);
    await container.native().createIfNotExists();
    // it takes any signature, and none
    const made = await fetch(`${s3.endpoint}/${BUCKET}`, { method: 'PUT' });
    if (!made.ok && made.status !== 409) throw new Error(`No bucket could be made in S3: ${made.status}`);
    const environment = {
      AWS_S3_BUCKET: BUCKET,
      AWS_S3_ENDPOINT: s3.endpoint,
      AWS_ACCESS_KEY: accessKeyId,
      AWS_SECRET_KEY: secretAccessKey,
      AWS_S3_CONDITIONAL_WRITES: 'false',
      AWS_S3_REQUEST_CHECKSUM_CALCULATION: 'WHEN_REQUIRED',
      GCS_BUCKET_NAME: BUCKET,
      STORAGE_EMULATOR_HOST: gcs.endpoint,
      AZURE_STORAGE_ACCOUNT_URL: azure.endpoint,
      AZURE_STORAGE_CREDENTIAL: azure.accountKey,
      AZURE_CONTAINER_NAME: BUCKET,
    };
    return { environment, stores, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
