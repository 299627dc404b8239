import { expect, it } from '@jest/globals';
import { StorageError } from '@paradoxon/storage';
import { withPatience } from '../src/patience.ts';

const silence = new StorageError('TIMEOUT', 'silent');
const later = (ms: number) => new Promise<void>((done) => setTimeout(done, ms));

it('waits as long as there are signs of life', async () => {
  const answer = await withPatience(100, silence, undefined, async (_signal, alive) => {
    for (let step = 0; step < 5; step += 1) {
      await later(50);
      alive();
    }
    return 'done';
  });

  expect(answer).toBe('done');
});

it('gives up after a silence, and tells the call to stop', async () => {
  let told: AbortSignal | undefined;

  const call = withPatience(20, silence, undefined, (signal) => {
    told = signal;
    return new Promise(() => undefined);
  });

  await expect(call).rejects.toBe(silence);
  expect(told?.aborted).toBe(true);
});

it('does not wait for a call that ignores the abort of the caller', async () => {
  const abort = new AbortController();

  const call = withPatience(10_000, silence, abort.signal, () => new Promise(() => undefined));
  abort.abort();

  await expect(call).rejects.toMatchObject({ code: 'ABORTED', scope: 'local' });
});
