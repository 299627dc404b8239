import {
  type BlobSASSignatureValues,
  BlobSASPermissions,
  type BlobServiceClient,
  generateBlobSASQueryParameters,
  SASProtocol,
  type UserDelegationKey,
} from '@azure/storage-blob';
import { untilAborted } from '@paradoxon/storage/plugin';
import type { AzureAccess } from './azure-credentials.ts';
import type { AzureCall } from './azure-errors.ts';
import { request } from './azure-request.ts';

/** Azure's limit for a user delegation key; ours for links by the account key, which has none. */
const MAX_SECONDS = 7 * 24 * 60 * 60;
/** A key that begins when this machine believes it is now would be refused by a server whose clock is behind. */
const SKEW_SECONDS = 15 * 60;
/** A key is asked for anew for a longer life of a link only when it has lost this much of its own. */
const KEY_AGE_SECONDS = 60 * 60;

export interface Link {
  /** Query of the blob's URL. */
  readonly query: string;
  readonly expiresAt: Date;
}

/** Signs links to read one blob. */
export class BlobLinks {
  /** Seconds; 0 when it can sign none: a SAS token opens all that it was made for, so it is handed to nobody. */
  readonly maxTtlSeconds: number;
  readonly #access: AzureAccess;
  readonly #service: BlobServiceClient;
  readonly #container: string;
  #key: UserDelegationKey | undefined;
  #asking: Promise<UserDelegationKey> | undefined;

  constructor(access: AzureAccess, service: BlobServiceClient, container: string) {
    this.#access = access;
    this.#service = service;
    this.#container = container;
    this.maxTtlSeconds = { key: MAX_SECONDS, token: MAX_SECONDS - SKEW_SECONDS, sas: 0 }[access.kind];
  }

  /** @param ttlSeconds wanted; the link says what it became */
  async sign(blobName: string, ttlSeconds: number, call: AzureCall, signal?: AbortSignal): Promise<Link> {
    const wanted = Math.floor(Date.now() / 1000 + Math.min(ttlSeconds, this.maxTtlSeconds)) * 1000;
    const access = this.#access;
    if (access.kind === 'key') {
      const expiresAt = new Date(wanted);
      return {
        query: generateBlobSASQueryParameters(this.#values(blobName, expiresAt), access.key).toString(),
        expiresAt,
      };
    }
    const key = await this.#delegationKey(wanted, call, signal);
    const expiresAt = new Date(Math.min(wanted, key.signedExpiresOn.getTime()));
    const query = generateBlobSASQueryParameters(this.#values(blobName, expiresAt), key, access.accountName).toString();
    return { query, expiresAt };
  }

  #values(blobName: string, expiresOn: Date): BlobSASSignatureValues {
    return {
      containerName: this.#container,
      blobName,
      permissions: BlobSASPermissions.parse('r'),
      // no beginning: what begins now is not valid yet for a server whose clock is behind
      expiresOn,
      protocol: this.#access.accountUrl.startsWith('https:') ? SASProtocol.Https : SASProtocol.HttpsAndHttp,
    };
  }

  /** One key signs many links; one request for it serves all that wait for it, and is ended by none of them. */
  async #delegationKey(wanted: number, call: AzureCall, signal?: AbortSignal): Promise<UserDelegationKey> {
    if (this.#key && livesLongEnough(this.#key, wanted)) return this.#key;
    this.#asking ??= this.#askForKey(call).finally(() => (this.#asking = undefined));
    return untilAborted(this.#asking, signal);
  }

  async #askForKey(call: AzureCall): Promise<UserDelegationKey> {
    const begins = Date.now() - SKEW_SECONDS * 1000;
    const ends = begins + MAX_SECONDS * 1000;
    this.#key = await request(call, undefined, () =>
      this.#service.getUserDelegationKey(new Date(begins), new Date(ends)),
    );
    return this.#key;
  }
}

function livesLongEnough(key: UserDelegationKey, wanted: number): boolean {
  const ageMs = Date.now() - key.signedStartsOn.getTime() - SKEW_SECONDS * 1000;
  return key.signedExpiresOn.getTime() >= wanted || ageMs < KEY_AGE_SECONDS * 1000;
}
