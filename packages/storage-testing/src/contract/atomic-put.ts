import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ByteSource, StorageError } from '@paradoxon/storage';
import { noiseBytes } from '../noise.ts';
import { failures, type Failure } from './failing-bodies.ts';
import { comesFrom, holds, isAbsent, isStorageError, type Outcome, SETTLE_MS, settled } from './expectations.ts';
import type { Given } from './given.ts';
import { type Rule, writable } from './rule.ts';
import { inChunks, ScriptedBody } from './scripted-body.ts';

/** An upload that goes on behind a rejected put would be done by then, in a store that is near. */
const LATE_COMMIT_MS = 50;
const KEY = 'films/7/scene-1.mp4';

/** Whether a rejected put may have stored its body all the same: it says so. */
const maybeCommitted = (error: unknown): boolean => StorageError.is(error) && error.committed !== 'no';

/** Runs a put that must fail. */
async function failed(
  given: Given,
  failure: Failure,
  body: ByteSource,
  signal: AbortSignal,
): Promise<Outcome<unknown>> {
  const what = `put of a body that ${failure.title}`;
  const outcome = await settled(given.store.put(KEY, body, { signal }), what);
  if (outcome.ok) {
    assert.ok(failure.mayResolve, `The contract expects ${what} to reject.`);
  } else if (failure.error) {
    assert.ok(
      comesFrom(outcome.error, failure.error),
      `The contract expects ${what} to reject with what the body threw, or with that as cause; not with ${String(outcome.error)}.`,
    );
  } else if (failure.code) {
    isStorageError(outcome.error, failure.code, what);
  }
  return outcome;
}

/** What is left over may take the store a moment to remove: an abort settles at once. */
async function expectInventory(given: Given, expected: readonly string[]): Promise<void> {
  let found = await given.inventory();
  for (const end = Date.now() + SETTLE_MS; Date.now() < end && String(found) !== String(expected);) {
    await sleep(50);
    found = await given.inventory();
  }
  assert.deepEqual(
    found,
    expected,
    'The contract expects a failed put to leave nothing behind: no object, no part, no temporary file.',
  );
}

const overNothing = (failure: Failure): Rule => ({
  title: `stores nothing and leaves nothing behind when the body ${failure.title}`,
  when: (claims) => claims.write && (failure.when?.(claims) ?? true),
  check: async (given) => {
    const before = await given.inventory();
    const { body, bytes, signal } = failure.make();

    const outcome = await failed(given, failure, body, signal);

    if (failure.code === 'ABORTED') await sleep(LATE_COMMIT_MS);
    if (outcome.ok || maybeCommitted(outcome.error)) {
      const there = await given.store.head(KEY).then(
        () => true,
        () => false,
      );
      if (there)
        return holds(given.store, KEY, bytes, 'a put that may have been committed to have stored all or nothing');
    }
    await isAbsent(given.store, KEY, 'an object whose put was rejected');
    await expectInventory(given, before);
  },
});

const overAnObject = (failure: Failure): Rule => ({
  title: `leaves the old object as it was when the body of an overwrite ${failure.title}`,
  when: (claims) => claims.write && (failure.when?.(claims) ?? true),
  check: async (given) => {
    const old = noiseBytes(70_000, 99);
    await given.put(KEY, old, { contentType: 'video/mp4', metadata: { attempt: 'old' } });
    const before = await given.inventory();
    const { body, bytes, signal } = failure.make();

    const outcome = await failed(given, failure, body, signal);

    if (failure.code === 'ABORTED') await sleep(LATE_COMMIT_MS);
    const info = await given.store.head(KEY);
    if ((outcome.ok || maybeCommitted(outcome.error)) && info.size === bytes.byteLength) {
      return holds(given.store, KEY, bytes, 'an overwrite that may have been committed to have stored all or nothing');
    }
    await holds(given.store, KEY, old, 'the old object to stay whole when its overwrite is rejected');
    assert.deepEqual(
      [info.contentType, { ...info.metadata }],
      ['video/mp4', { attempt: 'old' }],
      'The contract expects a rejected overwrite to leave content type and metadata alone.',
    );
    await expectInventory(given, before);
  },
});

const closes = (failure: Failure): Rule => ({
  title: `closes the body that ${failure.title}`,
  when: (claims) => claims.write && (failure.when?.(claims) ?? true),
  check: async (given) => {
    const { body, signal } = failure.make();
    await failed(given, failure, body, signal);
    for (const end = Date.now() + SETTLE_MS; Date.now() < end && !body.closed;) await sleep(20);
    assert.ok(body.closed, 'The contract expects return() on the iterator of a body that is not read to its end.');
  },
});

/** What put promises when something goes wrong: all or nothing. */
export const atomicPut: readonly Rule[] = [
  ...failures.map(overNothing),
  ...failures.filter(({ large }) => !large).map(overAnObject),
  ...failures.filter(({ stopsEarly }) => stopsEarly).map(closes),
  {
    title: 'settles when it is aborted while an async generator stalls, which cannot be closed',
    when: writable,
    check: async ({ store }) => {
      const controller = new AbortController();
      async function* stalling(): AsyncGenerator<Uint8Array> {
        yield noiseBytes(1000, 1);
        setTimeout(() => controller.abort(), 10);
        await new Promise(() => undefined);
      }

      const put = store.put(KEY, { size: 2000, chunks: stalling() }, { signal: controller.signal });

      const outcome = await settled(put, 'put of a stalling generator that is aborted');
      assert.ok(!outcome.ok, 'The contract expects an aborted put to reject.');
      isStorageError(outcome.error, 'ABORTED', 'an aborted put');
      await isAbsent(store, KEY, 'an object whose put was aborted');
    },
  },
  {
    title: 'shows an object only once put has resolved',
    when: writable,
    check: async (given) => {
      const { store } = given;
      const bytes = noiseBytes(300_000, 5);
      const look = async (): Promise<void> => {
        await isAbsent(store, KEY, 'an object whose put has not resolved');
        for await (const { key } of store.list?.('') ?? []) {
          assert.fail(`The contract expects list to show no unfinished upload; it shows ${key}.`);
        }
      };
      const steps = [...inChunks(bytes, 60_000)].flatMap((chunk) => [look, chunk]);

      await store.put(KEY, new ScriptedBody([...steps, look], { size: bytes.byteLength }));

      await holds(store, KEY, bytes, 'an object whose put has resolved to be there');
    },
  },
  {
    title: 'stores the key again after a put that failed',
    when: writable,
    check: async (given) => {
      const broken = new ScriptedBody([noiseBytes(1000, 1), new Error('the source broke')], { size: 2000 });
      await settled(given.store.put(KEY, broken), 'put of a body that fails');
      await given.put(KEY, noiseBytes(2000, 2));
      await holds(given.store, KEY, noiseBytes(2000, 2), 'a second attempt to succeed');
    },
  },
];
