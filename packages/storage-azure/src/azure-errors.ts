import {
  type Committed,
  type RetryAdvice,
  StorageError,
  type StorageErrorCode,
  type StorageErrorDetails,
} from '@paradoxon/storage';
import { permissionAdvice } from './azure-permissions.ts';
import { LATE_TOKEN } from './azure-credentials.ts';
import { IDLE } from './socket-pool.ts';

/** One call on a container. */
export interface AzureCall {
  readonly storage: string;
  readonly accountUrl: string;
  readonly container: string;
  readonly operation: string;
  readonly key?: string;
  /** The request changes what others see: when its answer is lost, nobody knows whether it did. `commit` sets it. */
  readonly commits?: boolean;
  /** A create-only write: a condition that is not met means that the object is there. */
  readonly createOnly?: boolean;
}

type Meaning = readonly [code: StorageErrorCode, text: string, retry?: RetryAdvice];

const WRONG_KEY =
  'does not accept the credentials. Compare the account key or SAS token with the one in the portal (Access keys) and the clock of this machine with the time (15 minutes off are too many)';
const EXPIRED =
  'does not accept the token: it has ended, is for another account or tenant, or is malformed. Make a new one';
const BUSY = 'asks to be called less often';
const PROTECTED = 'protects this object';
const TIER = 'does not know this access tier for this kind of account. Change or leave out accessTier';
const MAY_NOT = 'does not let these credentials do this';

const EXISTS: Meaning = ['ALREADY_EXISTS', 'already has this object'];

/** What Azure's refusals mean here, by `x-ms-error-code`. One that is missing is judged by its HTTP status. */
const MEANINGS: Readonly<Record<string, Meaning>> = {
  BlobNotFound: ['NOT_FOUND', 'has no such object'],
  BlobAlreadyExists: EXISTS,
  ConditionNotMet: ['PRECONDITION_FAILED', 'has another version of the object than the one that was named'],
  TargetConditionNotMet: ['PRECONDITION_FAILED', 'has another version of the object than the one that was named'],
  InvalidRange: ['RANGE_NOT_SATISFIABLE', 'has an object that ends before this range'],

  ContainerNotFound: [
    'INVALID_CONFIG',
    'does not have this container. Make it (az storage container create) or correct the option container',
  ],
  ContainerBeingDeleted: [
    'UNAVAILABLE',
    'is deleting this container, which takes some minutes; then it can be made again',
  ],
  ContainerDisabled: ['UNAVAILABLE', 'has disabled this container'],
  ResourceNotFound: ['INVALID_CONFIG', 'has nothing at this address. Look at the options accountUrl and container'],
  InvalidResourceName: ['INVALID_CONFIG', 'does not allow this name. Look at the options container and prefix'],
  InvalidUri: [
    'INVALID_CONFIG',
    'does not understand the address. Look at the options accountUrl, container and prefix',
  ],
  OutOfRangeInput: ['INVALID_KEY', 'does not allow this name'],
  AccountRequiresHttps: ['INVALID_CONFIG', 'wants https. Write accountUrl with https://'],
  InvalidHeaderValue: ['INVALID_CONFIG', 'refuses a header. Is accessTier one that this kind of account has?'],
  BlobTierInadequateForContentLength: ['INVALID_CONFIG', TIER],
  AccessTierNotSupportedForBlobType: ['INVALID_CONFIG', TIER],
  FeatureNotSupportedByAccount: ['INVALID_CONFIG', TIER],

  AuthenticationFailed: ['UNAUTHENTICATED', WRONG_KEY],
  InvalidAuthenticationInfo: ['UNAUTHENTICATED', EXPIRED],
  NoAuthenticationInformation: ['UNAUTHENTICATED', EXPIRED],
  AuthorizationPermissionMismatch: ['PERMISSION_DENIED', MAY_NOT],
  InsufficientAccountPermissions: ['PERMISSION_DENIED', MAY_NOT],
  UnauthorizedBlobOverwrite: [
    'PERMISSION_DENIED',
    'lets this SAS token create objects, but not replace them: it needs the permission w',
  ],
  AuthorizationFailure: [
    'PERMISSION_DENIED',
    'refuses this request: by a network rule (Networking in the portal: allow the address of this machine), or because the credentials may not do it',
  ],
  AuthorizationResourceTypeMismatch: [
    'PERMISSION_DENIED',
    'refuses the account SAS: it needs the resource types container and object (srt=co)',
  ],
  AuthorizationServiceMismatch: ['PERMISSION_DENIED', 'refuses the account SAS: it needs the service blob (ss=b)'],
  AuthorizationProtocolMismatch: [
    'PERMISSION_DENIED',
    'refuses the SAS token over http: it is for https only. Write accountUrl with https://',
  ],
  AuthorizationSourceIPMismatch: ['PERMISSION_DENIED', 'refuses the SAS token from the address of this machine (sip)'],
  KeyBasedAuthenticationNotPermitted: [
    'PERMISSION_DENIED',
    'allows no account keys (AllowSharedKeyAccess is off). Leave the option credential out and use an identity with a role',
  ],
  PublicAccessNotPermitted: ['UNAUTHENTICATED', 'was asked without credentials'],
  AccountIsDisabled: ['PERMISSION_DENIED', 'has disabled this account. Look at the subscription in the portal'],
  BlobImmutableDueToPolicy: ['PERMISSION_DENIED', `${PROTECTED} by an immutability policy or a legal hold`],
  LeaseIdMissing: [
    'PERMISSION_DENIED',
    `${PROTECTED} by a lease that another program holds. Break it (az storage blob lease break)`,
  ],
  SnapshotsPresent: ['PERMISSION_DENIED', `${PROTECTED} because it has snapshots. Delete those first`],
  InvalidBlobType: [
    'PERMISSION_DENIED',
    'has an append or page blob under this key, which cannot be replaced by a block blob. Delete it first',
  ],

  ServerBusy: ['RATE_LIMITED', BUSY],
  TooManyRequests: ['RATE_LIMITED', BUSY],
  AccountLimitExceeded: ['QUOTA_EXCEEDED', 'has reached the limit of the account'],
  InternalError: ['UNAVAILABLE', 'has had an internal error'],
  OperationTimedOut: ['UNAVAILABLE', 'did not finish in time'],
  AccountBeingCreated: ['UNAVAILABLE', 'is still creating this account'],
  BlobArchived: [
    'UNAVAILABLE',
    'has this object in the archive tier, where nothing can be read. Rehydrate it (az storage blob set-tier --tier Hot), which takes hours',
    'never',
  ],
  BlobBeingRehydrated: [
    'UNAVAILABLE',
    'is still rehydrating this object from the archive tier, which takes hours',
    'never',
  ],
  Md5Mismatch: ['CHECKSUM_MISMATCH', 'has received other bytes than were sent'],
  RequestBodyTooLarge: ['TOO_LARGE', 'does not take so many bytes at once. Choose a smaller partBytes'],
  InvalidBlockList: [
    'UNAVAILABLE',
    'has lost the blocks of this upload: another one of the same key was finished or given up meanwhile',
  ],
  InvalidBlobOrBlock: [
    'UNAVAILABLE',
    'has blocks under this key which another program has begun to upload. They vanish after a week, when that upload is finished, or with az storage blob delete',
    'never',
  ],
  BlockCountExceedsLimit: [
    'UNAVAILABLE',
    'has too many unfinished blocks under this key. They vanish after a week, or with az storage blob delete',
    'never',
  ],
};

const UNREACHABLE = 'cannot be reached. Look at the host of accountUrl, the network and the firewall';

/** What the operating system says about a connection. */
const CONNECTIONS: Readonly<Record<string, Meaning>> = {
  ENOTFOUND: ['NETWORK', 'cannot be found by name. Is the account in accountUrl spelled right, and is the network up?'],
  EAI_AGAIN: ['NETWORK', 'cannot be found by name just now: the name server does not answer'],
  ECONNREFUSED: ['NETWORK', 'refuses connections. Look at host and port of accountUrl, and whether the service runs'],
  EHOSTUNREACH: ['NETWORK', UNREACHABLE],
  ENETUNREACH: ['NETWORK', UNREACHABLE],
  ETIMEDOUT: ['TIMEOUT', 'takes no connections: nothing answers in 10 s'],
  [LATE_TOKEN]: ['TIMEOUT', 'gets no token: the identity has not answered within idleTimeoutMs'],
  [IDLE]: ['STALLED', 'has been silent for longer than idleTimeoutMs'],
};
const CERTIFICATE = /CERT|SELF_SIGNED|UNABLE_TO_(?:GET|VERIFY)/;
const NOT_TRUSTED =
  'shows a certificate that is not trusted. If a proxy signs it, give its authority to Node (NODE_EXTRA_CA_CERTS)';
/** Nothing was sent: the write did not happen. */
const NEVER_SENT = new Set([
  'ENOTFOUND',
  'EAI_AGAIN',
  'ECONNREFUSED',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ETIMEDOUT',
  LATE_TOKEN,
]);
const NO_TOKEN =
  'gets no token from Azure. DefaultAzureCredential looks at AZURE_CLIENT_ID, AZURE_TENANT_ID and AZURE_CLIENT_SECRET, at workload identity, managed identity and az login; or set the option credential';
const IDENTITY_ERRORS = new Set([
  'AggregateAuthenticationError',
  'AuthenticationError',
  'AuthenticationRequiredError',
  'CredentialUnavailableError',
]);

/** Any error of the SDK as a StorageError that says what happened, to what, and what to do. */
export function toStorageError(error: unknown, call: AzureCall): StorageError {
  const { storage, operation, key } = call;
  const details = { storage, operation, ...(key === undefined ? {} : { key }) };
  if (StorageError.is(error)) return error.storage === undefined ? changed(error, details) : error;
  const failure = readFailure(error);
  const committed = committedBy(failure, call);
  if (failure.name === 'AbortError') {
    return new StorageError('ABORTED', 'The caller aborted.', { ...details, scope: 'local', committed, cause: error });
  }
  const meaning = meaningOf(failure, operation) ?? (['INTERNAL', `failed: ${failure.message}`] as const);
  // Azure says 409 BlobAlreadyExists, or 412 ConditionNotMet
  const [code, text, retry] = call.createOnly && meaning[0] === 'PRECONDITION_FAILED' ? EXISTS : meaning;
  const what = [operation, key].filter(Boolean).join(' ');
  const said = [failure.code, failure.status].filter(Boolean).join(', ');
  return new StorageError(
    code,
    `Storage "${storage}" (container ${call.container} at ${call.accountUrl}) ${text}: ${what}${said === '' ? '' : ` (${said})`}.`,
    {
      ...details,
      committed,
      cause: causeOf(error),
      ...(retry === undefined ? {} : { retry }),
      ...(failure.status === undefined ? {} : { httpStatus: failure.status }),
      ...(failure.requestId === undefined ? {} : { requestId: failure.requestId }),
      ...(failure.retryAfterMs === undefined || retry === 'never'
        ? {}
        : { retry: 'after' as const, retryAfterMs: failure.retryAfterMs }),
    },
  );
}

/**
 * What is kept of an error of the SDK: that one holds its request, with the bytes of a whole part and the credentials, for as
 * long as anybody keeps the verdict.
 */
export function causeOf(error: unknown): unknown {
  if (!(error instanceof Error) || !('request' in error)) return error;
  const { name, message, stack = '' } = error;
  const { code, statusCode } = error as { readonly code?: unknown; readonly statusCode?: unknown };
  return Object.assign(new Error(message), { name, stack, code, statusCode });
}

/** The same error, with other details. */
export function changed(error: StorageError, changes: StorageErrorDetails): StorageError {
  const { scope, retry, committed, cause } = error;
  const { retryAfterMs, storage, operation, key, httpStatus, requestId } = error;
  const known = { retryAfterMs, storage, operation, key, httpStatus, requestId };
  const given = Object.fromEntries(Object.entries(known).filter(([, value]) => value !== undefined));
  return new StorageError(error.code, error.message, { scope, retry, committed, cause, ...given, ...changes });
}

interface Failure {
  readonly name: string;
  /** Azure's, or the operating system's. */
  readonly code: string | undefined;
  readonly status: number | undefined;
  readonly message: string;
  readonly requestId: string | undefined;
  readonly retryAfterMs: number | undefined;
}

/** The SDK says the same in several places: the answer to a HEAD has no body, so only the header has the code. */
function readFailure(error: unknown): Failure {
  const { name, code, statusCode, message, response } = (error ?? {}) as Record<string, unknown>;
  const header = headersOf(response);
  return {
    name: typeof name === 'string' ? name : '',
    code: header('x-ms-error-code') ?? (typeof code === 'string' ? code : undefined),
    status: typeof statusCode === 'number' ? statusCode : undefined,
    message: typeof message === 'string' ? message : String(error),
    requestId: header('x-ms-request-id'),
    retryAfterMs: retryAfterMs(header('retry-after')),
  };
}

function headersOf(response: unknown): (name: string) => string | undefined {
  const { headers } = (response ?? {}) as { headers?: { get?: (name: string) => unknown } };
  return (name) => {
    const value = headers?.get?.(name);
    return typeof value === 'string' && value !== '' ? value : undefined;
  };
}

function retryAfterMs(header: string | undefined): number | undefined {
  if (header === undefined) return undefined;
  const ms = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - Date.now();
  return Number.isFinite(ms) ? Math.max(0, ms) : undefined;
}

function meaningOf({ name, code = '', status, message }: Failure, operation: string): Meaning | undefined {
  if (IDENTITY_ERRORS.has(name)) return ['UNAUTHENTICATED', `${NO_TOKEN} (${firstLine(message)})`];
  // Azurite's name for a wrong signature, which Azure calls AuthenticationFailed
  if (code === 'AuthorizationFailure' && message.includes('failed to authenticate'))
    return MEANINGS['AuthenticationFailed'];
  const meaning = MEANINGS[code] ?? (status === undefined ? CONNECTIONS[code] : undefined);
  if (meaning?.[0] === 'PERMISSION_DENIED' && /^(?:Authorization(?:Failure|Permission)|Insufficient)/.test(code)) {
    return ['PERMISSION_DENIED', `${meaning[1]}. ${permissionAdvice(operation)}`];
  }
  return meaning ?? (status === undefined ? brokenConnection(name, code) : byStatus(status, code));
}

function brokenConnection(name: string, code: string): Meaning | undefined {
  if (CERTIFICATE.test(code)) return ['INVALID_CONFIG', NOT_TRUSTED];
  return name === 'RestError' ? ['NETWORK', 'could not be asked: the connection broke'] : undefined;
}

function byStatus(status: number, code: string): Meaning {
  if (status === 401) return ['UNAUTHENTICATED', EXPIRED];
  if (status === 403) return ['PERMISSION_DENIED', MAY_NOT];
  // Azure always gives its 404 a code: this one comes from something else, and says nothing about the object
  if (status === 404)
    return ['INVALID_CONFIG', 'answers 404 without a code of Azure. Is accountUrl the blob endpoint of an account?'];
  if (status === 412) return ['PRECONDITION_FAILED', 'says that a condition is not met'];
  if (status === 416) return ['RANGE_NOT_SATISFIABLE', 'has an object that ends before this range'];
  if (status === 429) return ['RATE_LIMITED', BUSY];
  if (status >= 500 || status === 408) return ['UNAVAILABLE', 'cannot serve now'];
  if (code === '')
    return ['INVALID_CONFIG', 'gives an answer without a code of Azure. Look whether accountUrl is right'];
  return ['INTERNAL', 'refuses the request'];
}

/** Azure's own word on it: an operation that timed out, or failed inside, may have been carried out all the same. */
function committedBy({ code = '', status }: Failure, call: AzureCall): Committed {
  if (!call.commits || NEVER_SENT.has(code) || CERTIFICATE.test(code)) return 'no';
  return status !== undefined && (status < 500 || status === 503) ? 'no' : 'unknown';
}

const firstLine = (text: string): string => text.split('\n', 1)[0] ?? '';
