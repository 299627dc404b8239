// The main job with nothing configured: `npm run demo` archives the sample film and proves the copies.
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { exportSample, scenesOf, sha256OfFile } from './paradoxon.ts';
import { SAMPLE_FOLDER, startSampleSource } from './sample-source.ts';

const source = await startSampleSource();
try {
  const { code, output } = await exportSample('local');
  process.stdout.write(output);
  process.exitCode = code === 0 ? await compare(output) : code;
} finally {
  await source.close();
}

/** @returns the exit code: 0 when each copy has its original's SHA-256 */
async function compare(output: string): Promise<number> {
  const scenes = scenesOf(output);
  const originals = (await readdir(SAMPLE_FOLDER)).sort();
  let equal = 0;
  for (const [at, name] of originals.entries()) {
    const location = scenes[at]?.copies.find((copy) => copy.storage === 'local')?.location;
    const [wanted, found] = await Promise.all([
      sha256OfFile(join(SAMPLE_FOLDER, name)),
      location ? sha256OfFile(fileURLToPath(location)) : 'no copy',
    ]);
    if (wanted === found) equal += 1;
    console.error(`${wanted === found ? 'same' : 'DIFFERENT'}  ${found.slice(0, 16)}…  ${location ?? name}`);
  }
  console.error(`${equal} of ${originals.length} copies have the SHA-256 of their original.`);
  return equal === originals.length ? 0 : 1;
}
