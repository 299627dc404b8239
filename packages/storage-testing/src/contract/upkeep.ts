import assert from 'node:assert/strict';
import type { StorageCapabilities } from '@paradoxon/storage';
import { noiseBytes } from '../noise.ts';
import { holds } from './expectations.ts';
import { type Rule, writable } from './rule.ts';
import { inChunks, ScriptedBody } from './scripted-body.ts';

const sweeps = ({ write, sweepIncomplete }: StorageCapabilities): boolean => write && sweepIncomplete;

const checks = (level: 'config' | 'reach' | 'write', when?: Rule['when']): Rule => ({
  title: `check('${level}') finds a usable store usable, and leaves nothing behind`,
  ...(when ? { when } : {}),
  check: async (given) => {
    const before = await given.inventory();

    const { ok, steps } = await given.store.check(level);

    assert.ok(ok, `The contract expects check('${level}') of a usable store to be ok: ${JSON.stringify(steps)}`);
    assert.ok(steps.length > 0, 'The contract expects check to say what it has looked at.');
    for (const step of steps) {
      assert.equal(typeof step.name, 'string', 'The contract expects every step of check to have a name.');
      assert.ok(step.ok, 'The contract expects `ok` to be false when one of its steps is not ok.');
    }
    assert.deepEqual(
      await given.inventory(),
      before,
      `The contract expects check('${level}') to leave nothing behind.`,
    );
  },
});

/** check and sweepIncomplete. */
export const upkeep: readonly Rule[] = [
  checks('config'),
  checks('reach'),
  checks('write', writable),
  {
    title: "check('write') of a read-only store resolves",
    when: ({ write }) => !write,
    check: async ({ store }) => {
      const { steps } = await store.check('write');
      assert.ok(steps.length > 0, 'The contract expects check to say what it has looked at.');
    },
  },
  {
    title: 'sweeps no object away',
    when: sweeps,
    check: async (given) => {
      await given.put('whole.mp4', noiseBytes(1000, 1));

      const report = await given.store.sweepIncomplete?.(new Date());

      assert.equal(report?.removed, 0, 'The contract expects nothing to be swept where no upload was abandoned.');
      await holds(given.store, 'whole.mp4', noiseBytes(1000, 1), 'a whole object to survive a sweep');
    },
  },
  {
    title: 'sweeps no upload away that began later than asked for',
    when: sweeps,
    check: async ({ store }) => {
      const bytes = noiseBytes(300_000, 2);
      const anHourAgo = new Date(Date.now() - 3_600_000);
      const sweep = async (): Promise<void> => {
        await store.sweepIncomplete?.(anHourAgo);
      };
      const steps = [...inChunks(bytes, 100_000)].flatMap((chunk) => [chunk, sweep]);

      await store.put('running.mp4', new ScriptedBody(steps, { size: bytes.byteLength }));

      await holds(store, 'running.mp4', bytes, 'an upload that is under way to survive a sweep of older ones');
    },
  },
];
