// A cloud in a box: `npm run demo:clouds` archives the sample film to a folder and three clouds, and proves every copy.
import { readdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startClouds } from './clouds.ts';
import { exportSample, type Scene, scenesOf, sha256, sha256OfFile } from './paradoxon.ts';
import { SAMPLE_FOLDER, startSampleSource } from './sample-source.ts';

/** The clouds, and films of their own: those of `npm run demo` are left alone. */
const folder = resolve(import.meta.dirname, '../data/clouds');
const STORES = ['local', 's3', 'gcs', 'azure'];

const clouds = await startClouds(folder);
const source = await startSampleSource();
try {
  const { code, output } = await exportSample(STORES.join(','), { ...clouds.environment, DATA_DIR: folder });
  process.stdout.write(output);
  const { equal, wanted } = await compare(scenesOf(output));
  console.error(`${equal} of ${wanted} copies have the SHA-256 of their original.`);
  const reads = source.requests.filter(({ method }) => method === 'GET');
  console.error(
    `The source was read ${reads.length} times, for ${new Set(reads.map(({ path }) => path)).size} videos.`,
  );
  process.exitCode = code === 0 && equal < wanted ? 1 : code;
} finally {
  await source.close();
  await clouds.stop();
}

/** Reads every copy back, out of the place where it is said to be. */
async function compare(scenes: readonly Scene[]): Promise<{ equal: number; wanted: number }> {
  const originals = (await readdir(SAMPLE_FOLDER)).sort();
  let equal = 0;
  for (const [at, name] of originals.entries()) {
    const original = await sha256OfFile(join(SAMPLE_FOLDER, name));
    for (const storage of STORES) {
      const copy = scenes[at]?.copies.find((each) => each.storage === storage);
      const found = copy?.location ? await sha256At(storage, copy.location) : undefined;
      if (found === original) equal += 1;
      const verdict = found === original ? 'same     ' : 'DIFFERENT';
      console.error(`${verdict}  ${(found ?? 'no copy').slice(0, 16)}…  ${copy?.location ?? `${name} in ${storage}`}`);
    }
  }
  return { equal, wanted: originals.length * STORES.length };
}

async function sha256At(storage: string, location: string): Promise<string> {
  const store = clouds.stores.get(storage);
  if (!store) return sha256OfFile(fileURLToPath(location));
  const { body } = await store.open(location.slice(store.locate('x').length - 1));
  return sha256(body);
}
