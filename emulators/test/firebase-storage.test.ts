import { type GcsEmulator, startFirebaseStorage } from '../src/index.ts';
import { describeLife } from './describe-life.ts';

async function ask({ endpoint }: GcsEmulator, path: string, request?: RequestInit): Promise<string> {
  const answer = await fetch(endpoint + path, request);
  if (!answer.ok) throw new Error(`${path}: HTTP ${answer.status}`);
  return answer.text();
}

describeLife('firebase-tools', {
  byHand: 'firebase',
  start: startFirebaseStorage,
  makeBucket: (server) => server.createBucket('films'),
  put: (server, key, text) =>
    ask(server, `/upload/storage/v1/b/films/o?uploadType=media&name=${encodeURIComponent(key)}`, {
      method: 'POST',
      body: text,
    }),
  get: (server, key) => ask(server, `/storage/v1/b/films/o/${encodeURIComponent(key)}?alt=media`),
});
