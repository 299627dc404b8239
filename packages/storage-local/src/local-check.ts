import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { access, stat, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import {
  type CheckLevel,
  type CheckReport,
  type CheckStep,
  StorageError,
  type StoragePlugin,
} from '@paradoxon/storage';
import { assertNotAborted } from '@paradoxon/storage/plugin';
import { errnoOf } from './local-errors.ts';
import { notAFolder } from './object-folder.ts';

/** Below this a disk counts as full. */
const MIN_FREE_BYTES = 64 * 1024 ** 2;
const CANARY = Buffer.from('paradoxon check');

/** Each level does what the levels before it do. @throws StorageError `ABORTED`, nothing else */
export async function checkFolder(
  store: StoragePlugin,
  root: string,
  level: CheckLevel,
  signal?: AbortSignal,
): Promise<CheckReport> {
  const steps: CheckStep[] = [];
  /** @returns whether it went well; the steps after one that failed are not tried */
  const step = async (name: string, work: Work): Promise<boolean> => {
    assertNotAborted(signal);
    try {
      steps.push({ name, ok: true, detail: await work() });
      return true;
    } catch (error) {
      assertNotAborted(signal);
      steps.push({ name, ok: false, detail: StorageError.from(error).message });
      return false;
    }
  };
  await step('options', () => `The folder is ${root}; links are ${store.capabilities.signedUrl ? 'signed' : 'off'}.`);
  if (
    level !== 'config' &&
    (await step('folder', () => lookAtFolder(root))) &&
    (await step('free space', () => freeSpace(root)))
  ) {
    if (level === 'write') await canary(store, step);
  }
  return { ok: steps.every(({ ok }) => ok), steps };
}

/** @returns what was found */
type Work = () => string | Promise<string>;
type Step = (name: string, work: Work) => Promise<boolean>;

/** An object of its own is written, read and deleted again, also when an abort comes between. */
async function canary(store: StoragePlugin, step: Step): Promise<void> {
  const key = `paradoxon-check-${randomUUID()}`;
  let deleted = false;
  try {
    const good =
      (await step('write', async () => `Wrote ${await write(store, key, false)} bytes and read them back.`)) &&
      (await step('create only', async () => {
        await refused(write(store, key, true));
        return 'A second writer is refused.';
      })) &&
      (await step('read', () => readCanary(store, key)));
    await step('delete', async () => {
      await store.delete(key);
      deleted = true;
      return good ? 'Nothing is left.' : 'Nothing is left of the attempt.';
    });
  } finally {
    // the step above has already said what is wrong with deleting, if anything
    if (!deleted) await store.delete(key).catch(() => undefined);
  }
}

async function write(store: StoragePlugin, key: string, ifAbsent: boolean): Promise<number> {
  const body = { size: CANARY.length, chunks: Readable.from([CANARY]) };
  return (await store.put(key, body, { contentType: 'text/plain', ifAbsent })).size;
}

async function readCanary(store: StoragePlugin, key: string): Promise<string> {
  const { body, contentType } = await store.open(key, { range: { start: 1, end: 5 } });
  const bytes = await buffer(body);
  if (!bytes.equals(CANARY.subarray(1, 6))) throw new Error('The bytes that were read are not those written.');
  if (contentType !== 'text/plain') throw new Error('The description of the object is lost: is .paradoxon writable?');
  return 'A range came back unchanged.';
}

async function refused(writing: Promise<unknown>): Promise<void> {
  try {
    await writing;
  } catch (error) {
    if (StorageError.is(error) && error.code === 'ALREADY_EXISTS') return;
    throw error;
  }
  throw new Error('A create-only write replaced an object: this file system makes no hard links as it should.');
}

async function lookAtFolder(root: string): Promise<string> {
  try {
    const folder = await existingParent(root);
    if (!(await stat(folder)).isDirectory()) throw notAFolder(root);
    await access(folder, constants.R_OK | constants.W_OK | constants.X_OK);
    if (folder === root) return `${root} can be read and written.`;
    return `${root} does not exist yet; the first write makes it.`;
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === undefined) throw error;
    if (errno === 'ENOTDIR') throw notAFolder(root);
    const todo =
      errno === 'EROFS'
        ? 'It is on a read-only file system: mount it for writing, or set the option root to another folder.'
        : 'Give this user the right to read and write it.';
    throw new Error(`${root} cannot be used (${errno}). ${todo}`, { cause: error });
  }
}

async function freeSpace(root: string): Promise<string> {
  const { bavail, blocks, bsize, files, ffree } = await statfs(await existingParent(root));
  const text = `${gibibytes(bavail * bsize)} of ${gibibytes(blocks * bsize)} free`;
  if (bavail * bsize < MIN_FREE_BYTES) throw new Error(`${text}. Free some space or move ${root} to a larger disk.`);
  // some file systems keep no count of files and say 0 of 0
  if (files > 0 && ffree === 0) throw new Error(`${text}, but it takes no more files (no inodes). Delete small files.`);
  return `${text}.`;
}

/** The folder itself or, as long as it is not made, the nearest one above it that exists. */
async function existingParent(folder: string): Promise<string> {
  try {
    await stat(folder);
    return folder;
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT' || dirname(folder) === folder) throw error;
    return existingParent(dirname(folder));
  }
}

const gibibytes = (bytes: number): string => `${(bytes / 1024 ** 3).toFixed(1)} GiB`;
