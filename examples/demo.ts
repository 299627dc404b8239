// The main job with nothing configured: `npm run demo` archives the sample film and proves the copies.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SAMPLE_FOLDER, startSampleSource } from './sample-source.ts';

interface Scene {
  readonly scene_number: number;
  readonly copies: readonly { readonly storage: string; readonly location: string | null }[];
}

const root = join(import.meta.dirname, '..');
const source = await startSampleSource();
try {
  const { code, output } = await runParadoxon();
  process.stdout.write(output);
  process.exitCode = code === 0 ? await compare(output) : code;
} finally {
  await source.close();
}

/** The command a user would type, with the one permission that a source on loopback needs. */
function runParadoxon(): Promise<{ code: number; output: string }> {
  const cli = join(root, 'apps/cli/dist/main.js');
  const film = join(root, 'examples/films/sample.json');
  console.error(`$ paradoxon export examples/films/sample.json --strategy hybrid --to local --json`);
  const child = spawn(process.execPath, [cli, 'export', film, '--strategy', 'hybrid', '--to', 'local', '--json'], {
    env: { ...process.env, SOURCE_PRIVATE_ADDRESSES: '127.0.0.1' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  return new Promise((resolve, reject) => {
    child.once('error', reject).once('close', (code) => resolve({ code: code ?? 1, output }));
  });
}

/** @returns the exit code: 0 when each copy has its original's SHA-256 */
async function compare(output: string): Promise<number> {
  const { export_info: info } = JSON.parse(output) as { export_info: { scenes: readonly Scene[] } };
  const originals = (await readdir(SAMPLE_FOLDER)).sort();
  let equal = 0;
  for (const [at, name] of originals.entries()) {
    const location = info.scenes[at]?.copies.find((copy) => copy.storage === 'local')?.location;
    const [wanted, found] = await Promise.all([
      sha256(join(SAMPLE_FOLDER, name)),
      location ? sha256(fileURLToPath(location)) : 'no copy',
    ]);
    if (wanted === found) equal += 1;
    console.error(`${wanted === found ? 'same' : 'DIFFERENT'}  ${found.slice(0, 16)}…  ${location ?? name}`);
  }
  console.error(`${equal} of ${originals.length} copies have the SHA-256 of their original.`);
  return equal === originals.length ? 0 : 1;
}

async function sha256(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk as Uint8Array);
  return hash.digest('hex');
}
