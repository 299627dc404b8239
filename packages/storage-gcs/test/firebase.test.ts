import { generateKeyPairSync } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type GcsEmulator, startFirebaseStorage } from '@paradoxon/emulators';
import type { StoragePlugin } from '@paradoxon/storage';
import { storageContract } from '@paradoxon/storage-testing';
import { GcsStorage } from '../src/index.ts';
import { MiB } from './gcs-place.ts';

let emulator: GcsEmulator;
let count = 0;
const buckets = new WeakMap<StoragePlugin, string>();
const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const credentials = {
  client_email: 'films@demo-paradoxon.iam.gserviceaccount.com',
  private_key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
};

beforeAll(async () => {
  emulator = await startFirebaseStorage();
}, 60_000);
afterAll(() => emulator.stop());

/** Google's client reads the variable when it is made. */
async function storeAtEmulator(): Promise<GcsStorage> {
  const bucket = `films-${(count += 1)}`;
  await emulator.createBucket(bucket);
  process.env['STORAGE_EMULATOR_HOST'] = emulator.endpoint;
  try {
    // in more than one chunk a resumable upload hangs there: everything goes in one request
    const store = new GcsStorage('gcs', { bucket, credentials, partBytes: 32 * MiB });
    buckets.set(store, bucket);
    return store;
  } finally {
    delete process.env['STORAGE_EMULATOR_HOST'];
  }
}

/** What the emulator cannot do, and therefore cannot show. All of it is shown with startGcsServer. */
const LACKS: readonly (readonly [cases: RegExp, why: string])[] = [
  [/ifAbsent where there is an object|simultaneous writers with ifAbsent/, 'ignores preconditions'],
  [/delete with a stale ifMatch/, 'ignores preconditions'],
  [/check\('write'\)/, 'ignores preconditions, and the check finds that out'],
  [/an (altered|expired) link/, 'answers every link'],
];

describe('gcs at the emulator of firebase-tools keeps the storage contract', () => {
  const cases = storageContract({
    supports: {
      write: true,
      range: true,
      ifMatch: true,
      createIfAbsent: true,
      unknownSize: true,
      list: true,
      signedUrl: { maxTtlSeconds: 604_800 },
      checksums: ['crc32c'],
      maxObjectBytes: 5 * 1024 ** 4,
    },
    create: storeAtEmulator,
  });
  for (const { title, run } of cases) {
    const lack = LACKS.find(([lacking]) => lacking.test(title));
    if (lack) it.skip(`${title} [the emulator ${lack[1]}]`, run);
    else it(title, run, 30_000);
  }
});

it("says in check('write') that create-only writes are not kept there, and sends no credentials", async () => {
  const store = await storeAtEmulator();

  const { ok, steps } = await store.check('write');

  expect(ok).toBe(false);
  expect(steps.filter((step) => !step.ok).map(({ name }) => name)).toEqual(['create only']);
  expect(steps[0]?.detail).toContain('credentials: none, because STORAGE_EMULATOR_HOST is set');
  await store.close();
});
