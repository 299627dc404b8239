import { lstat, opendir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { SweepReport } from '@paradoxon/storage';
import { assertNotAborted } from '@paradoxon/storage/plugin';
import { unless } from './local-errors.ts';
import { versionAt } from './object-file.ts';
import type { ObjectFolder } from './object-folder.ts';
import type { Sidecars } from './sidecar.ts';

/** Removes unfinished files that nobody has written to since `olderThan`, and descriptions that belong to no object. */
export async function sweepFolder(
  folder: ObjectFolder,
  sidecars: Sidecars,
  olderThan: Date,
  signal?: AbortSignal,
): Promise<SweepReport> {
  assertNotAborted(signal);
  let removed = 0;
  for await (const entry of (await unless(['ENOENT'], opendir(folder.temps))) ?? []) {
    assertNotAborted(signal);
    const path = join(folder.temps, entry.name);
    const stats = await unless(['ENOENT'], lstat(path));
    // ctime: every write and rename renews it, also that of an old file which a delete has just moved here
    if (!stats || stats.ctime >= olderThan) continue;
    // another process may sweep too
    if (
      (await unless(
        ['ENOENT'],
        unlink(path).then(() => true),
      )) === true
    )
      removed += 1;
  }
  await sidecars.sweep(olderThan, (key) => versionAt(join(folder.root, key)), signal);
  return { removed };
}
