import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { type OpenedObject, StorageError, type StorageErrorCode, type StoragePlugin } from '@paradoxon/storage';
import { ScriptedBody } from './scripted-body.ts';

/** How long a call may take to settle once its signal has aborted. */
export const SETTLE_MS = 2000;

export type Outcome<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: unknown };

/** What became of a call; rejects when nothing has within `SETTLE_MS`. */
export async function settled<T>(call: Promise<T>, what: string): Promise<Outcome<T>> {
  const timer = new AbortController();
  const outcome = call.then(
    (value): Outcome<T> => ({ ok: true, value }),
    (error: unknown): Outcome<T> => ({ ok: false, error }),
  );
  const first = await Promise.race([
    outcome,
    sleep(SETTLE_MS, undefined, { signal: timer.signal }).catch(() => undefined),
  ]);
  timer.abort();
  assert.ok(first, `The contract expects ${what} to settle within ${SETTLE_MS} ms.`);
  return first;
}

/** Rejects unless the call rejects with a StorageError of one of these codes. */
export async function refused(
  call: Promise<unknown>,
  codes: StorageErrorCode | readonly StorageErrorCode[],
  what: string,
): Promise<StorageError> {
  const error = await call.then(
    () => assert.fail(`The contract expects ${what} to be refused with ${String(codes)}, but it resolved.`),
    (reason: unknown) => reason,
  );
  if (error instanceof assert.AssertionError) throw error;
  return isStorageError(error, codes, what);
}

export function isStorageError(
  error: unknown,
  codes: StorageErrorCode | readonly StorageErrorCode[],
  what: string,
): StorageError {
  assert.ok(
    StorageError.is(error),
    `The contract expects ${what} to be refused with a StorageError, not with ${String(error)}.`,
  );
  assert.ok(
    [codes].flat().includes(error.code),
    `The contract expects ${what} to be refused with ${String(codes)}, not with ${error.code}: ${error.message}`,
  );
  return error;
}

/** The same for a call that is no promise. */
export function throwsCode(call: () => unknown, code: StorageErrorCode, what: string): void {
  let error: unknown;
  try {
    call();
  } catch (thrown) {
    error = thrown;
  }
  assert.ok(error, `The contract expects ${what} to be refused with ${code}, but it returned.`);
  isStorageError(error, code, what);
}

export async function readAll(opened: OpenedObject): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of opened.body as AsyncIterable<Buffer>) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks);
}

/** Compares without printing megabytes. */
export function sameBytes(actual: Uint8Array, expected: Uint8Array, what: string): void {
  assert.equal(actual.byteLength, expected.byteLength, `The contract expects ${what}: the length is wrong.`);
  assert.equal(
    createHash('sha256').update(actual).digest('hex'),
    createHash('sha256').update(expected).digest('hex'),
    `The contract expects ${what}: the bytes differ.`,
  );
}

/** Rejects unless the object is there with these bytes. */
export async function holds(store: StoragePlugin, key: string, bytes: Uint8Array, what: string): Promise<void> {
  const opened = await store.open(key);
  assert.equal(opened.size, bytes.byteLength, `The contract expects ${what}: open says ${opened.size} bytes.`);
  sameBytes(await readAll(opened), bytes, what);
}

/** Rejects unless there is no such object. */
export async function isAbsent(store: StoragePlugin, key: string, what: string): Promise<void> {
  await refused(store.head(key), 'NOT_FOUND', `${what}: head`);
}

/** A put whose body must not matter, because the call is refused for another reason. */
export const anyBody = (): ScriptedBody => new ScriptedBody([Buffer.from('any')], { size: 3 });

/** Whether an error is, or was caused by, another. */
export function comesFrom(error: unknown, origin: unknown): boolean {
  for (let link = error; link !== undefined && link !== null; link = (link as { cause?: unknown }).cause) {
    if (link === origin) return true;
  }
  return false;
}
