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
 * Deletes blocks that belong to no blob yet, and never a blob: the condition holds only where there is none, also when
 * another upload of the same key is committed at this very moment.
 *
 * Azure has no other way to give up an upload than to wait for a week. Blocks that wait beside a blob (an overwrite that
 * failed) cannot be deleted without it; the next write of the key removes them.
 *
 * @returns whether there were any
 */
export async function discardUncommitted(blob: BlockBlobClient): Promise<boolean> {
  try {
    await blob.delete({ conditions: { ifUnmodifiedSince: BEFORE_ALL_BLOBS } });
    return true;
  } catch (error) {
    if (NOT_THERE.has((error as { statusCode?: number }).statusCode ?? 0)) return false;
    throw error;
  }
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
    const blob = clients.blob(next.value.name);
    if (!(await isAbandoned(blob, call, olderThan, signal))) continue;
    if (await request(call, signal, () => discardUncommitted(blob))) removed += 1;
  }
}

async function isAbandoned(
  blob: BlockBlobClient,
  call: AzureCall,
  olderThan: Date,
  signal?: AbortSignal,
): Promise<boolean> {
  const blocks = await request(call, signal, async (options) => {
    try {
      return (await blob.getBlockList('uncommitted', options)).uncommittedBlocks ?? [];
    } catch (error) {
      // finished, or given up, since the list was made
      if ((error as { statusCode?: number }).statusCode === 404) return [];
      throw error;
    }
  });
  return blocks.length > 0 && blocks.every(({ name }) => (uploadBegun(name) ?? olderThan) < olderThan);
}
