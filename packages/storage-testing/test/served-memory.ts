import { createHmac, randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { IssuedUrl, StorageCapabilities, UrlOptions } from '@paradoxon/storage';
import { serveObject } from '@paradoxon/storage/http';
import { MemoryStorage } from '../src/index.ts';

const MAX_TTL_SECONDS = 3600;

/** Ways in which signed links go wrong. */
export interface LinkFlaws {
  readonly signatureIsNotChecked?: boolean;
  readonly signatureLeavesThePathOut?: boolean;
  readonly expiryIsNotChecked?: boolean;
  readonly expiryIsNotLimited?: boolean;
  readonly rangeIsIgnored?: boolean;
  readonly pathIsDecodedTwice?: boolean;
}

/** A memory store that issues signed links to a server of its own: for the rules about URLs. */
export class ServedMemory extends MemoryStorage {
  override readonly capabilities: StorageCapabilities;
  readonly #secret = randomBytes(32);
  readonly #server: Server;
  readonly #flaws: LinkFlaws;

  private constructor(server: Server, flaws: LinkFlaws) {
    super('served');
    this.capabilities = { ...new MemoryStorage().capabilities, signedUrl: { maxTtlSeconds: MAX_TTL_SECONDS } };
    this.#server = server;
    this.#flaws = flaws;
    server.on('request', (request: IncomingMessage, response: ServerResponse) => {
      this.#serve(request, response).catch(() => response.writeHead(404).end());
    });
  }

  static async start(flaws: LinkFlaws = {}): Promise<ServedMemory> {
    const server = createServer();
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
    return new ServedMemory(server, flaws);
  }

  override async resolveUrl(key: string, options: UrlOptions = {}): Promise<IssuedUrl> {
    this.locate(key);
    await Promise.resolve();
    const asked = options.ttlSeconds ?? 900;
    const ttl = this.#flaws.expiryIsNotLimited ? asked : Math.min(asked, MAX_TTL_SECONDS);
    const expires = Math.floor(Date.now() / 1000) + ttl;
    const path = `/${key.split('/').map(encodeURIComponent).join('/')}`;
    const { port } = this.#server.address() as AddressInfo;
    return {
      url: `http://127.0.0.1:${port}${path}?expires=${expires}&signature=${this.#sign(path, expires)}`,
      expiresAt: new Date(expires * 1000),
      supportsRange: true,
    };
  }

  async close(): Promise<void> {
    if (!this.#server.listening) return;
    await new Promise((closed) => this.#server.close(closed));
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://host');
    const expires = Number(searchParams.get('expires'));
    const forged = searchParams.get('signature') !== this.#sign(pathname, expires);
    const late = expires * 1000 < Date.now();
    if ((forged && !this.#flaws.signatureIsNotChecked) || (late && !this.#flaws.expiryIsNotChecked)) {
      response.writeHead(403).end();
      return;
    }
    if (this.#flaws.rangeIsIgnored) delete request.headers.range;
    const once = decodeURIComponent(pathname.slice(1));
    await serveObject(this, this.#flaws.pathIsDecodedTwice ? decodeURIComponent(once) : once, request, response);
  }

  #sign(path: string, expires: number): string {
    const signed = `${this.#flaws.signatureLeavesThePathOut ? '' : path}\n${expires}`;
    return createHmac('sha256', this.#secret).update(signed).digest('base64url');
  }
}
