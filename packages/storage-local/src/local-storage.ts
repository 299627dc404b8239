import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import {
  type ByteSource,
  type CallOptions,
  type CheckLevel,
  type CheckReport,
  type DeleteOptions,
  type IssuedUrl,
  type ObjectInfo,
  type OpenedObject,
  type OpenOptions,
  type PutOptions,
  resolveRange,
  STORAGE_API_VERSION,
  type StorageCapabilities,
  StorageError,
  type StoragePlugin,
  type StoredObject,
  type SweepReport,
  type UrlOptions,
} from '@paradoxon/storage';
import { assertNotAborted } from '@paradoxon/storage/plugin';
import { BodyReader } from '@paradoxon/storage/plugin';
import { fileBody } from './file-body.ts';
import { checkFolder } from './local-check.ts';
import { type LocalCall, toStorageError, unless } from './local-errors.ts';
import { type LocalStorageOptions, parseLocalOptions } from './local-options.ts';
import { deleteObject } from './object-delete.ts';
import { type ObjectFile, openObjectFile } from './object-file.ts';
import { ObjectFolder } from './object-folder.ts';
import { objectKeys } from './object-list.ts';
import { writeObject } from './object-write.ts';
import { serveLink } from './serve-link.ts';
import { Sidecars } from './sidecar.ts';
import { LinkSigner, type LinkVerdict } from './signed-link.ts';
import { sweepFolder } from './sweep.ts';

const DEFAULT_TTL_SECONDS = 900;
const MAX_TTL_SECONDS = 7 * 24 * 60 * 60;

/**
 * A folder as a store: every object is a plain file at `root/key`. Any number of processes may use one folder at once;
 * there are no locks, only files that are complete before they are renamed into place.
 */
export class LocalStorage implements StoragePlugin {
  readonly apiVersion = STORAGE_API_VERSION;
  readonly kind = 'local';
  readonly id: string;
  readonly capabilities: StorageCapabilities;
  readonly #folder: ObjectFolder;
  readonly #sidecars: Sidecars;
  readonly #signer: LinkSigner | undefined;

  /** @throws StorageError `INVALID_CONFIG` naming every bad option, its value and what is allowed */
  constructor(id: string, options: LocalStorageOptions) {
    const { root, links } = parseLocalOptions(id, options);
    this.id = id;
    this.#folder = new ObjectFolder(root);
    this.#sidecars = new Sidecars(this.#folder.sidecars, this.#folder.temps);
    this.#signer = links && new LinkSigner(id, links);
    this.capabilities = {
      write: true,
      expiring: false,
      range: true,
      ifMatch: true,
      createIfAbsent: true,
      unknownSize: true,
      list: true,
      sweepIncomplete: true,
      signedUrl: links ? { maxTtlSeconds: MAX_TTL_SECONDS } : false,
      checksums: ['sha256'],
      maxObjectBytes: Number.MAX_SAFE_INTEGER,
    };
  }

  async put(key: string, body: ByteSource, options: PutOptions = {}): Promise<StoredObject> {
    const call = { ...this.#call('put'), key };
    const reader = new BodyReader(body, options.signal);
    try {
      return await writeObject(this.#folder, this.#sidecars, call, body, reader, options);
    } catch (error) {
      throw reader.threw(error) ? error : toStorageError(error, call);
    } finally {
      reader.close();
    }
  }

  open(key: string, options: OpenOptions = {}): Promise<OpenedObject> {
    return this.#run('open', key, async () => {
      assertNotAborted(options.signal);
      const { handle, info } = await this.#openFile(key);
      try {
        if (options.ifMatch !== undefined && options.ifMatch !== info.etag) {
          throw new StorageError('PRECONDITION_FAILED', `${key} is not the version that was asked for.`);
        }
        const range = options.range && resolveRange(options.range, info.size);
        assertNotAborted(options.signal);
        const body = fileBody(handle, range?.start ?? 0, range?.end ?? info.size - 1, options.signal);
        return { ...info, body, ...(range ? { range } : {}) };
      } catch (error) {
        await handle.close();
        throw error;
      }
    });
  }

  head(key: string, options: CallOptions = {}): Promise<ObjectInfo> {
    return this.#run('head', key, async () => {
      assertNotAborted(options.signal);
      const { handle, info } = await this.#openFile(key);
      await handle.close();
      return info;
    });
  }

  delete(key: string, options: DeleteOptions = {}): Promise<void> {
    return this.#run('delete', key, async () => {
      assertNotAborted(options.signal);
      await deleteObject(this.#folder, this.#sidecars, key, options.ifMatch);
    });
  }

  /** A link that `serveLink` answers; `UNSUPPORTED` without the option `links`. */
  resolveUrl(key: string, options: UrlOptions = {}): Promise<IssuedUrl> {
    return this.#run('resolveUrl', key, () => {
      assertNotAborted(options.signal);
      this.#folder.assertKey(key);
      if (!this.#signer) {
        throw new StorageError('UNSUPPORTED', `Storage "${this.id}" has no links. Give it the option "links".`);
      }
      const ttlSeconds = Math.min(options.ttlSeconds ?? DEFAULT_TTL_SECONDS, MAX_TTL_SECONDS);
      const expires = Math.floor(Date.now() / 1000 + ttlSeconds);
      return { url: this.#signer.issue(key, expires), expiresAt: new Date(expires * 1000), supportsRange: true };
    });
  }

  /** Where the object's file is: a `file://` URL. */
  locate(key: string): string {
    this.#folder.assertKey(key);
    return pathToFileURL(join(this.#folder.root, key)).href;
  }

  check(level: CheckLevel, options: CallOptions = {}): Promise<CheckReport> {
    return checkFolder(this, this.#folder.root, level, options.signal);
  }

  async *list(prefix: string, options: CallOptions = {}): AsyncGenerator<ObjectInfo> {
    const call = this.#call('list');
    try {
      for await (const key of objectKeys(this.#folder, prefix, options.signal)) {
        const file = await this.#findFile(key);
        await file?.handle.close();
        // none: deleted since its folder was read
        if (file) yield file.info;
      }
    } catch (error) {
      throw toStorageError(error, call);
    }
  }

  sweepIncomplete(olderThan: Date, options: CallOptions = {}): Promise<SweepReport> {
    return this.#run('sweepIncomplete', undefined, () =>
      sweepFolder(this.#folder, this.#sidecars, olderThan, options.signal),
    );
  }

  /**
   * Whether a link is one that this storage issued and that has not expired; `forged` for every link without the option
   * `links`.
   * @param expires seconds since 1970
   */
  verifyLink(key: string, expires: number, signature: string): LinkVerdict {
    return this.#signer?.verify(key, expires, signature) ?? 'forged';
  }

  /**
   * Answers a signed link on any Node HTTP server: the object for GET and HEAD (with ranges), else
   * application/problem+json: 403 for a link that this storage did not sign, 410 for an expired one, 404, 405, 500, 503.
   *
   * @param link what follows `links.baseUrl` in the request's URL, still encoded, with its query: `films/1.mp4?expires=…`
   * @throws StorageError when the folder failed, for the host's log: the client has its 500 or 503 by then or, when the
   *   answer had begun, a cut connection
   */
  serveLink(request: IncomingMessage, response: ServerResponse, link: string): Promise<void> {
    return serveLink(this, request, response, link);
  }

  async #openFile(key: string): Promise<ObjectFile> {
    const file = await this.#findFile(key);
    if (file) return file;
    throw new StorageError('NOT_FOUND', `Storage "${this.id}" has no object ${key}.`);
  }

  async #findFile(key: string): Promise<ObjectFile | undefined> {
    return unless(
      ['ENOENT', 'ENOTDIR'],
      this.#folder.pathOf(key).then((path) => openObjectFile(path, key, this.#sidecars)),
    );
  }

  async #run<T>(operation: string, key: string | undefined, work: () => T | Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw toStorageError(error, { ...this.#call(operation), ...(key === undefined ? {} : { key }) });
    }
  }

  #call(operation: string): LocalCall {
    return { storage: this.id, root: this.#folder.root, operation };
  }
}
