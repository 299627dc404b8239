import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { CreateBucketCommand, ListMultipartUploadsCommand, ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3';
import { missingCeph, type S3Emulator, startCeph, startFauxqs } from '@paradoxon/emulators';
import { S3Storage, type S3StorageOptions } from '../src/index.ts';

/** Smaller than what fauxqs takes in one request (11 MiB). */
export const MiB = 1024 ** 2;

/** A running server, and what is physically in it. */
export interface TestServer<Emulator extends S3Emulator = S3Emulator> {
  readonly emulator: Emulator;
  /** What every store on it needs. */
  readonly options: Omit<S3StorageOptions, 'bucket'>;
  readonly client: S3Client;
  bucket(): Promise<string>;
  store(options?: Partial<S3StorageOptions>): Promise<S3Storage>;
  /** Objects, and uploads that are open. */
  inventory(bucket: string): Promise<string[]>;
  stop(): Promise<void>;
}

let buckets = 0;

function testServer<Emulator extends S3Emulator>(
  emulator: Emulator,
  own: Partial<S3StorageOptions>,
  inventory: (client: S3Client, bucket: string) => Promise<string[]>,
  discard: () => Promise<void> = () => Promise.resolve(),
): TestServer<Emulator> {
  const { endpoint, region, accessKeyId, secretAccessKey } = emulator;
  const credentials = { accessKeyId, secretAccessKey };
  const client = new S3Client({
    // a copy: the SDK adds to what it is given
    ...{ endpoint, region, credentials: { ...credentials }, forcePathStyle: true },
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
  });
  const options = { endpoint, region, credentials, partBytes: 5 * MiB, ...own };
  const bucket = async (): Promise<string> => {
    buckets += 1;
    const name = `bucket-${process.pid}-${buckets}`;
    await client.send(new CreateBucketCommand({ Bucket: name }));
    return name;
  };
  return {
    ...{ emulator, client, options, bucket },
    store: async (more = {}) => new S3Storage('s3', { bucket: more.bucket ?? (await bucket()), ...options, ...more }),
    inventory: (name) => inventory(client, name),
    stop: async () => {
      client.destroy();
      await emulator.stop();
      await discard();
    },
  };
}

/**
 * fauxqs takes any key and knows neither CRC32C nor conditions of writes. It cannot list open uploads: they are read from
 * its database.
 */
export async function fauxqs(): Promise<TestServer> {
  const folder = await mkdtemp(join(tmpdir(), 'storage-s3-'));
  const emulator = await startFauxqs({ folder });
  const database = new DatabaseSync(join(folder, 'fauxqs.db'), { readOnly: true });
  const keys = (sql: string, bucket: string): string[] =>
    database
      .prepare(sql)
      .all(bucket)
      .map(({ key }) => String(key));
  return testServer(
    emulator,
    { requestChecksumCalculation: 'WHEN_REQUIRED', conditionalWrites: false },
    (_client, bucket) =>
      Promise.resolve([
        ...keys('SELECT key FROM s3_objects WHERE bucket = ?', bucket),
        ...keys("SELECT 'upload of ' || key AS key FROM s3_multipart_uploads WHERE bucket = ?", bucket),
      ]),
    async () => {
      database.close();
      await rm(folder, { recursive: true });
    },
  );
}

export type Ceph = Awaited<ReturnType<typeof startCeph>>;

/** Ceph 16 knows no CRC32C, honours If-None-Match on PUT, and checks signatures and permissions. */
export async function ceph(): Promise<TestServer<Ceph>> {
  return testServer(await startCeph(), { requestChecksumCalculation: 'WHEN_REQUIRED' }, listed);
}

export const noCeph = missingCeph();

async function listed(client: S3Client, bucket: string): Promise<string[]> {
  const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket: bucket }));
  const { Uploads = [] } = await client.send(new ListMultipartUploadsCommand({ Bucket: bucket }));
  return [...Contents.map(({ Key }) => String(Key)), ...Uploads.map(({ Key }) => `upload of ${Key}`)];
}
