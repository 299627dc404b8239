import { describe, expect, it } from '@jest/globals';
import { StorageError } from '@paradoxon/storage';
import { RetryBudget, retryDelayMs } from '../src/retry-budget.ts';

const cut = new StorageError('NETWORK', 'cut', { scope: 'source' });
const never = new AbortController().signal;

describe('retryDelayMs', () => {
  it('doubles from a quarter of a second to ten seconds, half of it random', () => {
    const shortest = [1, 2, 3, 4, 5, 6, 7].map((failures) => retryDelayMs(failures, 0, () => 0));
    const longest = [1, 2, 3, 4, 5, 6, 7].map((failures) => retryDelayMs(failures, 0, () => 1));

    expect(longest).toEqual([250, 500, 1000, 2000, 4000, 8000, 10_000]);
    expect(shortest).toEqual(longest.map((ms) => ms / 2));
  });

  it('never waits less than the other side asked for', () => {
    expect(retryDelayMs(1, 3000, () => 0)).toBeGreaterThanOrEqual(3000);
  });
});

describe('RetryBudget', () => {
  const at = (maxAttempts: number, waits: number[] = []) =>
    new RetryBudget(maxAttempts, undefined, (ms) => {
      waits.push(ms);
      return Promise.resolve();
    });

  it('gives up after so many failures in a row without progress', async () => {
    const waits: number[] = [];
    const budget = at(3, waits);

    await budget.spend(cut, 10, never);
    await budget.spend(cut, 10, never);

    await expect(budget.spend(cut, 10, never)).rejects.toBe(cut);
    expect(waits).toHaveLength(2);
    expect(waits[1]).toBeGreaterThanOrEqual(250);
  });

  it('begins anew with every byte beyond the furthest point', async () => {
    const waits: number[] = [];
    const budget = at(2, waits);

    await budget.spend(cut, 10, never);
    await budget.spend(cut, 11, never);

    await expect(budget.spend(cut, 5, never)).rejects.toBe(cut);
    expect(Math.max(...waits)).toBeLessThanOrEqual(250);
  });

  it('ends even a source that makes a little progress before every failure', async () => {
    const budget = at(5);
    let position = 0;

    const endless = async () => {
      for (;;) await budget.spend(cut, (position += 1), never);
    };

    await expect(endless()).rejects.toBe(cut);
    expect(position).toBe(50);
  });

  it('does not wait for what comes after the deadline', async () => {
    const budget = new RetryBudget(5, new Date(Date.now() + 50));
    const begun = performance.now();

    await expect(budget.spend(cut, 0, never)).rejects.toBe(cut);

    expect(performance.now() - begun).toBeLessThan(50);
  });

  it('gives up rather than wait longer than a minute for the other side', async () => {
    const busy = new StorageError('RATE_LIMITED', 'busy', { retryAfterMs: 61_000 });

    await expect(new RetryBudget(5).spend(busy, 0, never)).rejects.toBe(busy);
  });

  it('stops waiting when the caller aborts', async () => {
    const busy = new StorageError('RATE_LIMITED', 'busy', { retryAfterMs: 30_000 });

    await expect(new RetryBudget(5).spend(busy, 0, AbortSignal.timeout(10))).rejects.toMatchObject({
      name: 'AbortError',
    });
  });
});
