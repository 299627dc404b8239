import { BlobServiceClient, StorageSharedKeyCredential } from '@azure/storage-blob';
import type { TokenCredential } from '@azure/identity';
import { untilAborted } from '@paradoxon/storage/plugin';

/** How a store gets in: where the account is, and with what. */
export type AzureAccess =
  | {
      readonly kind: 'key';
      readonly accountUrl: string;
      readonly accountName: string;
      readonly key: StorageSharedKeyCredential;
    }
  /** `sas` without the question mark. */
  | { readonly kind: 'sas'; readonly accountUrl: string; readonly accountName: string; readonly sas: string }
  | {
      readonly kind: 'token';
      readonly accountUrl: string;
      readonly accountName: string;
      readonly token: TokenCredential;
      /** Nobody has chosen a credential: it is looked for where Azure's own tools look. */
      readonly isDefault: boolean;
    };

/** No token in time. Its code is none of those that the SDK repeats a request for. */
export const LATE_TOKEN = 'ERR_PARADOXON_LATE_TOKEN';
const ACCOUNT_KEY = /^[A-Za-z0-9+/]{20,}={0,2}$/;
const CONNECTION_STRING = /(?:^|;)\s*(?:AccountKey|SharedAccessSignature|UseDevelopmentStorage)=/i;
const NAMELESS =
  'accountUrl must name the account (https://NAME.blob.core.windows.net); a domain of your own needs a connection string with AccountName, AccountKey and BlobEndpoint';

/**
 * Tells what kind of credential it is by its form.
 *
 * @param accountUrl without a slash at its end
 * @param tokenMs longest wait for a token
 * @returns a sentence without its full stop when the two do not make an access; never with a secret in it
 */
export function findAccess(
  accountUrl: string | undefined,
  credential: string | TokenCredential | undefined,
  tokenMs: number,
): AzureAccess | string {
  const text = typeof credential === 'string' ? credential.trim() : undefined;
  if (text !== undefined && CONNECTION_STRING.test(text)) return fromConnectionString(accountUrl, text);
  if (accountUrl === undefined) {
    return 'accountUrl must be the address of the account (https://NAME.blob.core.windows.net), and is missing';
  }
  const accountName = nameOf(accountUrl);
  if (text === undefined) return fromToken(accountUrl, accountName, credential as TokenCredential | undefined, tokenMs);
  if (/^http:[^/]*\/\/[^/]*\.blob\./i.test(accountUrl)) {
    return 'accountUrl must begin with https://, because over http everybody on the way could read SAS tokens, links and films';
  }
  if (isSasToken(text)) return { kind: 'sas', accountUrl, accountName, sas: text.replace(/^\?/, '') };
  if (isAccountKey(text)) {
    if (accountName === '') return NAMELESS;
    return { kind: 'key', accountUrl, accountName, key: new StorageSharedKeyCredential(accountName, text) };
  }
  return `credential must be an account key (base64), a SAS token (sv=…&sig=…) or a connection string (…;AccountKey=…), and is none of them (${text.length} characters)`;
}

function fromToken(
  accountUrl: string,
  accountName: string,
  given: TokenCredential | undefined,
  tokenMs: number,
): AzureAccess | string {
  if (!accountUrl.startsWith('https:')) {
    return 'accountUrl must begin with https:// where neither a key nor a SAS token is given, because tokens are sent over TLS only';
  }
  const token = unaborted(given ?? defaultCredential(), tokenMs);
  return { kind: 'token', accountUrl, accountName, token, isDefault: given === undefined };
}

function fromConnectionString(accountUrl: string | undefined, text: string): AzureAccess | string {
  let client: BlobServiceClient;
  try {
    // without a protocol the SDK takes it for one with a SAS token, also when it has a key
    const keyed = /AccountKey=/i.test(text) && !/DefaultEndpointsProtocol=/i.test(text);
    client = BlobServiceClient.fromConnectionString(keyed ? `DefaultEndpointsProtocol=https;${text}` : text);
  } catch (error) {
    // the SDK's messages name the part that is wrong, not its value
    return `credential is a connection string that cannot be read: ${error instanceof Error ? error.message : 'it is malformed'}`;
  }
  const { origin, pathname, search } = new URL(client.url);
  const theirs = `${origin}${pathname}`.replace(/\/+$/, '');
  if (accountUrl !== undefined && new URL(accountUrl).href !== new URL(theirs).href) {
    return `accountUrl is ${accountUrl}, but the connection string is for ${theirs}: leave accountUrl out, or make them agree`;
  }
  const { credential } = client;
  if (credential instanceof StorageSharedKeyCredential) {
    return { kind: 'key', accountUrl: theirs, accountName: credential.accountName, key: credential };
  }
  return { kind: 'sas', accountUrl: theirs, accountName: client.accountName, sas: search.slice(1) };
}

/** The account's name, empty when the URL is a domain of somebody's own. */
const nameOf = (accountUrl: string): string => new BlobServiceClient(accountUrl).accountName;

function isSasToken(text: string): boolean {
  const parameters = new URLSearchParams(text);
  return parameters.has('sig') && parameters.has('sv');
}

const isAccountKey = (text: string): boolean => text.length % 4 === 0 && ACCOUNT_KEY.test(text);

/** `DefaultAzureCredential`, loaded when it is first needed: who has a key never loads it. */
function defaultCredential(): TokenCredential {
  let made: Promise<TokenCredential> | undefined;
  return {
    getToken: async (scopes, options) => {
      made ??= import('@azure/identity').then(({ DefaultAzureCredential }) => new DefaultAzureCredential());
      return (await made).getToken(scopes, options);
    },
  };
}

/**
 * The SDK lets all calls that wait for a token wait for one request, made with the signal of the first: when that call is
 * aborted, the others would be, too. So nobody's signal ends the request; each call ends its own waiting. An identity that
 * never answers (`az` that waits for its user, for one) would hold them all for ever: its time is limited here.
 */
function unaborted(credential: TokenCredential, tokenMs: number): TokenCredential {
  return {
    getToken: (scopes, options) => {
      const { abortSignal: _, ...rest } = options ?? {};
      return untilAborted(credential.getToken(scopes, rest), AbortSignal.timeout(tokenMs), () =>
        Object.assign(new Error(`no token within ${tokenMs} ms`), { code: LATE_TOKEN }),
      );
    },
  };
}
