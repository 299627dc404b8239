import type { BlockBlobClient } from '@azure/storage-blob';
import type { SweepReport } from '@paradoxon/storage';
import { assertNotAborted } from '@paradoxon/storage/plugin';
import type { AzureClients } from './azure-clients.ts';
import type { AzureCall } from './azure-errors.ts';
import { request } from './azure-request.ts';
import { uploadBegun } from './block-id.ts';

/** Older than any blob. */
const BEFORE_ALL_BLOBS = new Date('2000-01-01T00:00:00Z');
const NOT_THERE = new Set([404, 412]);

/**
 * Deletes the blocks under one name that belong to no blob yet, and never a blob: the condition holds only where there is
 * none, also when another upload of the same key is committed at this very moment.
 *
 * Azure has no other way to give up an upload than to wait for a week, and takes all blocks of the name or none: those of
 * another writer, who is still sending, would go, too. So it is asked before whose they are. Blocks that wait beside a blob
 * (an overwrite that failed) cannot be deleted without it; the next write of the key removes them.
 *
 * @param mayGo whether a block of this name may be deleted
 * @returns whether there were any, and they are gone
 */
export async function discardUncommitted(
  blob: BlockBlobClient,
  call: AzureCall,
  mayGo: (blockName: string) => boolean,
  signal?: AbortSignal,
): Promise<boolean> {
  return request(call, signal, async (options) => {
    try {
      const { uncommittedBlocks = [] } = await blob.getBlockList('uncommitted', options);
      if (uncommittedBlocks.length === 0 || !uncommittedBlocks.every(({ name }) => mayGo(name))) return false;
      await blob.delete({ ...options, conditions: { ifUnmodifiedSince: BEFORE_ALL_BLOBS } });
      return true;
    } catch (error) {
      // finished, or given up, since it was looked for
      if (NOT_THERE.has((error as { statusCode?: number }).statusCode ?? 0)) return false;
      throw error;
    }
  });
}

/** Discards the blocks of uploads of ours that began before `olderThan`; those of other programs are let alone. */
export async function sweepUncommitted(
  clients: AzureClients,
  call: AzureCall,
  prefix: string,
  olderThan: Date,
  signal?: AbortSignal,
): Promise<SweepReport> {
  let removed = 0;
  const names = clients.container.listBlobsFlat({
    prefix,
    includeUncommitedBlobs: true,
    ...(signal ? { abortSignal: signal } : {}),
  });
  for (;;) {
    const next = await request(call, signal, () => names.next());
    if (next.done) return { removed };
    assertNotAborted(signal);
    // only these have no bytes, beside empty objects: the list does not say which is which
    if (next.value.properties.contentLength) continue;
    const isOld = (block: string): boolean => (uploadBegun(block) ?? olderThan) < olderThan;
    if (await discardUncommitted(clients.blob(next.value.name), call, isOld, signal)) removed += 1;
  }
}
