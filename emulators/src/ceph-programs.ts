import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/** `setpriv` is part of every Debian (util-linux). */
const PROGRAMS = ['radosgw', 'radosgw-admin', 'ceph-mon', 'ceph-osd', 'monmaptool', 'osdmaptool', 'setpriv'];

/**
 * Whether a Ceph can be started here.
 *
 * @returns undefined when it can; else a sentence that says which programs are missing and how to install them
 */
export function missingCeph(): string | undefined {
  const missing = PROGRAMS.filter((program) => !isInstalled(program));
  if (missing.length === 0) return undefined;
  return (
    `Ceph is not installed: ${missing.join(', ')} missing. On Debian and Ubuntu, as root: ` +
    'apt-get update && apt-get install -y --no-install-recommends radosgw ceph-mon ceph-osd ceph-common'
  );
}

const isInstalled = (program: string): boolean =>
  (process.env['PATH'] ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
