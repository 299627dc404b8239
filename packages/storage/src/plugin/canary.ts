import { randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { StorageError } from '../storage-error.ts';
import type { StoragePlugin } from '../storage-plugin.ts';
import { answerSignal } from './answer-time.ts';
import type { CheckRun } from './check-run.ts';
import { fetchFailure } from './fetch-failure.ts';

const CANARY = Buffer.from('paradoxon check');
const RANGE = { start: 1, end: 5 };
const CONTENT_TYPE = 'text/plain';
/** A check that is aborted because its store no longer answers ends all the same. */
const CLEANUP_MS = 2000;
const PAGE_ORIGIN = 'https://page.example';

export interface CanaryOptions {
  /** Whether somebody answers the links of `resolveUrl`: not when the host has yet to serve them. True if absent. */
  readonly links?: boolean;
  /** What to do when pages of other sites may not read the links. */
  readonly corsAdvice?: string;
  /** What to do when the store ignores `ifAbsent`: which option switches it off. */
  readonly createOnlyAdvice?: string;
}

/**
 * The steps of `check('write')`: an object of its own is written, read, linked to and deleted again, also when an abort
 * comes between. What the store's capabilities do not have is not tried.
 */
export async function checkWithCanary(store: StoragePlugin, run: CheckRun, options: CanaryOptions = {}): Promise<void> {
  const key = `paradoxon-check-${randomUUID()}`;
  const { range, createIfAbsent, signedUrl } = store.capabilities;
  const call = run.signal ? { signal: run.signal } : {};
  let deleted = false;
  try {
    const written = await run.step('write', async () => `Wrote ${await write(store, key, false, run.signal)} bytes.`);
    if (written) {
      await run.step('look', () => look(store, key, call));
      await run.step('read', () => read(store, key, range, call));
      if (createIfAbsent)
        await run.step('create only', () => createOnly(store, key, options.createOnlyAdvice, run.signal));
      if (signedUrl && (options.links ?? true)) {
        if (await run.step('link', () => link(store, key, run.signal))) {
          await run.step('pages', () => pages(store, key, options.corsAdvice, run.signal));
        }
        await run.step('life of links', () => lifeOfLinks(store, key, signedUrl.maxTtlSeconds, run.signal));
      }
    }
    await run.step('delete', async () => {
      await store.delete(key, call);
      deleted = true;
      return written ? 'Nothing is left.' : 'Nothing is left of the attempt.';
    });
  } finally {
    // the step above has already said what is wrong with deleting, if anything
    if (!deleted) await store.delete(key, { signal: AbortSignal.timeout(CLEANUP_MS) }).catch(() => undefined);
  }
}

interface Call {
  readonly signal?: AbortSignal;
}

async function write(store: StoragePlugin, key: string, ifAbsent: boolean, signal?: AbortSignal): Promise<number> {
  const body = { size: CANARY.length, chunks: Readable.from([CANARY]) };
  const options = { contentType: CONTENT_TYPE, ...(ifAbsent ? { ifAbsent } : {}), ...(signal ? { signal } : {}) };
  return (await store.put(key, body, options)).size;
}

async function look(store: StoragePlugin, key: string, call: Call): Promise<string> {
  const { size, contentType } = await store.head(key, call);
  if (size !== CANARY.length) throw new Error(`The store says it holds ${size} bytes of the ${CANARY.length} written.`);
  if (contentType !== CONTENT_TYPE)
    throw new Error(`The store has made ${contentType} of the content type ${CONTENT_TYPE}.`);
  return 'Size and content type are as written.';
}

async function read(store: StoragePlugin, key: string, range: boolean, call: Call): Promise<string> {
  const { body } = await store.open(key, { ...call, ...(range ? { range: RANGE } : {}) });
  const wanted = range ? CANARY.subarray(RANGE.start, RANGE.end + 1) : CANARY;
  if (!(await buffer(body)).equals(wanted)) throw new Error('The bytes that were read are not those written.');
  return range ? 'A range came back unchanged.' : 'It came back unchanged.';
}

async function createOnly(store: StoragePlugin, key: string, advice = '', signal?: AbortSignal): Promise<string> {
  try {
    await write(store, key, true, signal);
  } catch (error) {
    if (StorageError.is(error) && error.code === 'ALREADY_EXISTS') return 'A second writer is refused.';
    throw error;
  }
  const found = 'A create-only write replaced an object: this store cannot do what its capabilities say.';
  throw new Error(`${found} ${advice}`.trim());
}

async function link(store: StoragePlugin, key: string, signal?: AbortSignal): Promise<string> {
  const { url, expiresAt, supportsRange } = await store.resolveUrl(key, signal ? { signal } : {});
  const range = `bytes=${RANGE.start}-${RANGE.end}`;
  const { response, bytes } = await follow(url, supportsRange ? { range } : {}, signal);
  if (!response.ok) {
    const said = bytes.toString().slice(0, 500);
    throw new Error(`The link was answered with ${response.status}: ${said}`);
  }
  const wanted = supportsRange ? CANARY.subarray(RANGE.start, RANGE.end + 1) : CANARY;
  if (!bytes.equals(wanted)) throw new Error(`The link was answered with ${response.status}, but with other bytes.`);
  return `A link plays with ${response.status}, until ${expiresAt?.toISOString() ?? 'it is withdrawn'}.`;
}

/** A page needs no permission to play a video, only to read it by script; so none is no failure. */
async function pages(store: StoragePlugin, key: string, advice = '', signal?: AbortSignal): Promise<string> {
  const { url } = await store.resolveUrl(key, signal ? { signal } : {});
  const { response } = await follow(url, { origin: PAGE_ORIGIN }, signal);
  const allowed = response.headers.get('access-control-allow-origin');
  if (allowed === '*' || allowed === PAGE_ORIGIN) return `Pages may play and read links (CORS allows ${allowed}).`;
  return `Pages may play links; scripts in pages may not read them (no CORS for them). ${advice}`.trim();
}

async function lifeOfLinks(store: StoragePlugin, key: string, max: number, signal?: AbortSignal): Promise<string> {
  const { expiresAt } = await store.resolveUrl(key, { ttlSeconds: max, ...(signal ? { signal } : {}) });
  if (expiresAt === null) return 'Links do not end.';
  const seconds = Math.round((expiresAt.getTime() - Date.now()) / 1000);
  if (seconds >= max - 60) return `Links may live for ${hours(max)}.`;
  return `Links may live for ${hours(seconds)} only, because then the credentials end; the store would allow ${hours(max)}.`;
}

async function follow(
  url: string,
  headers: Record<string, string>,
  signal?: AbortSignal,
): Promise<{ response: Response; bytes: Buffer }> {
  try {
    const response = await fetch(url, { headers, signal: answerSignal(signal) });
    return { response, bytes: Buffer.from(await response.arrayBuffer()) };
  } catch (error) {
    throw new Error(`Nothing answers at the link (${fetchFailure(error)}).`, { cause: error });
  }
}

const hours = (seconds: number): string => `${(seconds / 3600).toFixed(1)} hours`;
