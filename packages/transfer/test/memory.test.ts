import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, expect, it } from '@jest/globals';
import { Setting } from './fixtures/setting.ts';

const MiB = 1024 ** 2;
/**
 * The window is 16 MiB. Reading alone, without any target, grows a process by 80 to 95 MiB: garbage that the collector
 * has not come to yet.
 */
const ALLOWED_MIB = 200;
const setting = new Setting();
afterAll(() => setting.end());

it.concurrent(
  'a gigabyte to three stores, one of them slow, takes a window of memory',
  async () => {
    const { server, name } = await setting.source({ size: 1024 * MiB, seed: 1 });

    const { size, outcomes, grownMiB } = await inChild(server.url(name));

    expect({ size, outcomes }).toEqual({ size: 1024 * MiB, outcomes: ['ok', 'ok', 'ok'] });
    expect(grownMiB).toBeLessThan(ALLOWED_MIB);
  },
  60_000,
);

it.concurrent(
  'an endless source is cut at the limit in the same memory',
  async () => {
    const { server, name } = await setting.source({ size: 3 * 1024 * MiB, seed: 1 });
    server.fail(name, ['no-length']);

    const { outcomes, grownMiB } = await inChild(server.url(name), 200 * MiB);

    expect(outcomes).toEqual(['TOO_LARGE', 'TOO_LARGE', 'TOO_LARGE']);
    expect(grownMiB).toBeLessThan(ALLOWED_MIB);
  },
  60_000,
);

/** In a process of its own, so that its memory is that of the transfer and of nothing else. */
async function inChild(
  url: string,
  maxBytes?: number,
): Promise<{ size?: number; outcomes: string[]; grownMiB: number }> {
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [
      '--conditions=@paradoxon/source',
      '--disable-warning=ExperimentalWarning',
      join(import.meta.dirname, 'fixtures/memory-child.ts'),
      url,
      ...(maxBytes === undefined ? [] : [String(maxBytes)]),
    ],
    { env: {} },
  );
  return JSON.parse(stdout) as { size?: number; outcomes: string[]; grownMiB: number };
}
