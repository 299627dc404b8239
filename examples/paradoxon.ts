// What the demos share: the command a user would type, and SHA-256 of what is there.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');

export interface Copy {
  readonly storage: string;
  readonly state: string;
  /** In the store's own notation. */
  readonly location: string | null;
  readonly error: { readonly code: string; readonly message: string } | null;
}

export interface Scene {
  readonly scene_number: number;
  readonly state: string;
  readonly copies: readonly Copy[];
}

/** `paradoxon export` of the sample film, with the one permission that a source on loopback needs. */
export function exportSample(
  to: string,
  environment: Readonly<Record<string, string>> = {},
): Promise<{ code: number; output: string }> {
  const command = ['export', 'examples/films/sample.json', '--strategy', 'hybrid', '--to', to, '--json'];
  console.error(`$ paradoxon ${command.join(' ')}`);
  const child = spawn(process.execPath, [join(root, 'apps/cli/dist/main.js'), ...command], {
    cwd: root,
    env: { ...process.env, ...environment, SOURCE_PRIVATE_ADDRESSES: '127.0.0.1' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  return new Promise((resolve, reject) => {
    child.once('error', reject).once('close', (code) => resolve({ code: code ?? 1, output }));
  });
}

/** The scenes of what `--json` printed. */
export const scenesOf = (output: string): readonly Scene[] =>
  (JSON.parse(output) as { export_info: { scenes: readonly Scene[] } }).export_info.scenes;

export async function sha256(chunks: AsyncIterable<unknown>): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of chunks) hash.update(chunk as Uint8Array);
  return hash.digest('hex');
}

export const sha256OfFile = (path: string): Promise<string> => sha256(createReadStream(path));
