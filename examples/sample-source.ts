// Serves the sample film's videos on loopback the way Replicate serves its outputs: `npm run sample-source`.
import { join } from 'node:path';
import { type SourceServer, startSourceServer } from '@paradoxon/storage-testing';

export const SAMPLE_FOLDER = join(import.meta.dirname, 'films/sample');
/** films/sample.json names it. */
const PORT = 8787;

export async function startSampleSource(): Promise<SourceServer> {
  try {
    return await startSourceServer({ folder: SAMPLE_FOLDER, port: PORT });
  } catch (error) {
    throw new Error(`The sample source needs port ${PORT} on 127.0.0.1. Is another one running?`, { cause: error });
  }
}

if (import.meta.main) {
  const source = await startSampleSource();
  console.log(`The sample film's videos are at ${source.origin}/scene-01.mp4 to -06.mp4. Ctrl-C ends it.`);
}
