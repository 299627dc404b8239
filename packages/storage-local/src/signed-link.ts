import { createHmac, timingSafeEqual } from 'node:crypto';

/** What is wrong with a link, or `valid`. */
export type LinkVerdict = 'valid' | 'expired' | 'forged';

const SECONDS = /^[1-9]\d{0,11}$/;

/** Issues and verifies links that carry their permission with them: key and end, signed. */
export class LinkSigner {
  readonly #baseUrl: string;
  readonly #secret: string;
  readonly #storage: string;

  /** @param storage id of the storage: a link of one is worth nothing at another with the same secret */
  constructor(storage: string, links: { readonly baseUrl: string; readonly key: string }) {
    this.#storage = storage;
    this.#baseUrl = links.baseUrl;
    this.#secret = links.key;
  }

  /** @param expires seconds since 1970 */
  issue(key: string, expires: number): string {
    const path = key.split('/').map(encodeURIComponent).join('/');
    return `${this.#baseUrl}/${path}?expires=${expires}&signature=${this.#sign(key, expires)}`;
  }

  /** Compares in a time that does not depend on how much of the signature is right. */
  verify(key: string, expires: number, signature: string): LinkVerdict {
    const expected = Buffer.from(this.#sign(key, expires));
    const given = Buffer.from(signature);
    if (given.length !== expected.length || !timingSafeEqual(given, expected)) return 'forged';
    return Date.now() < expires * 1000 ? 'valid' : 'expired';
  }

  #sign(key: string, expires: number): string {
    return createHmac('sha256', this.#secret)
      .update(JSON.stringify([this.#storage, key, expires]))
      .digest('base64url');
  }
}

/**
 * Reads what follows the base URL in a link.
 * @returns `undefined` when it is no link that `issue` could have made
 */
export function parseLink(link: string): { key: string; expires: number; signature: string } | undefined {
  const [path = '', query = ''] = link.split('?', 2);
  const parameters = new URLSearchParams(query);
  const expires = parameters.get('expires');
  const signature = parameters.get('signature');
  if (expires === null || signature === null || !SECONDS.test(expires)) return undefined;
  try {
    const key = path.split('/').map(decodeURIComponent).join('/');
    return { key, expires: Number(expires), signature };
  } catch {
    // malformed percent-encoding
    return undefined;
  }
}
