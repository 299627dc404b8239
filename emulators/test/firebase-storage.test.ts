import { Storage } from '@google-cloud/storage';
import { type GcsEmulator, startFirebaseStorage } from '../src/index.ts';
import { describeLife } from './describe-life.ts';

function bucketOf({ endpoint, projectId }: GcsEmulator) {
  // the only way to it: with an `apiEndpoint`, Google's client uses other paths
  process.env['STORAGE_EMULATOR_HOST'] = endpoint;
  return new Storage({ projectId, retryOptions: { autoRetry: false } }).bucket('films');
}

describeLife('firebase-tools', {
  byHand: 'firebase',
  start: startFirebaseStorage,
  makeBucket: (server) => server.createBucket('films'),
  put: (server, key, text) => bucketOf(server).file(key).save(text, { resumable: false }),
  get: async (server, key) => (await bucketOf(server).file(key).download()).toString(),
});
