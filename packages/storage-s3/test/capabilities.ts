import type { StorageCapabilities } from '@paradoxon/storage';

/** What the plugin says about itself, but for what depends on the server. */
export function capabilities(own: Pick<StorageCapabilities, 'createIfAbsent' | 'checksums'>): StorageCapabilities {
  return {
    write: true,
    expiring: false,
    range: true,
    ifMatch: true,
    unknownSize: true,
    list: true,
    sweepIncomplete: true,
    signedUrl: { maxTtlSeconds: 604_800 },
    maxObjectBytes: 5 * 1024 ** 4,
    ...own,
  };
}
