import { StorageError, type StorageErrorCode, type StorageErrorDetails } from '@paradoxon/storage';
import { mayHaveArrived } from './lost-answers.ts';

/** What a request needs to be allowed, in the words of a policy. */
export type S3Permission =
  | 's3:PutObject'
  | 's3:GetObject'
  | 's3:DeleteObject'
  | 's3:ListBucket'
  | 's3:AbortMultipartUpload'
  | 's3:ListBucketMultipartUploads'
  | 's3:GetLifecycleConfiguration';

/** What an error is told with. */
export interface S3Call {
  readonly storage: string;
  readonly bucket: string;
  readonly region: string;
  readonly endpoint: string | undefined;
  readonly operation: string;
  /** As the caller named it, without the prefix. */
  readonly key?: string;
  /** With the prefix. */
  readonly path?: string;
  readonly permission?: S3Permission;
  /** The request makes the object visible, or takes it away. */
  readonly commits?: boolean;
  readonly ifAbsent?: boolean;
}

type Meaning = readonly [code: StorageErrorCode, text: string | ((call: S3Call, answer: Answer) => string)];

const UNKNOWN_KEY: Meaning = [
  'UNAUTHENTICATED',
  'refuses the access key. Look at credentials.accessKeyId; a temporary key (ASIA…) needs its sessionToken, too',
];
const EXPIRED: Meaning = [
  'UNAUTHENTICATED',
  'says that the temporary keys have expired. Give new ones, or a function that does so, or a role instead of keys',
];
const SLOW_DOWN: Meaning = ['RATE_LIMITED', 'asks to be called less often'];
const BUSY: Meaning = ['UNAVAILABLE', 'cannot serve now'];
const FULL: Meaning = ['QUOTA_EXCEEDED', 'is full, or its quota is used up. Raise it, or delete objects'];
const BAD_BYTES: Meaning = ['CHECKSUM_MISMATCH', 'got other bytes than were sent'];
const DENIED: Meaning = ['PERMISSION_DENIED', denied];
const NO_BUCKET: Meaning = [
  'INVALID_CONFIG',
  ({ bucket, endpoint, region }) =>
    `has no bucket "${bucket}" (${endpoint ?? region}). Create it, or correct bucket, region or endpoint`,
];
const WRONG_REGION: Meaning = ['INVALID_CONFIG', wrongRegion];
const BROKEN: Meaning = [
  'NETWORK',
  'cannot be reached, or the connection broke. Look at endpoint and region, name servers, proxy and firewall',
];
/** What AWS answers to a HEAD with an expired token, where a GET would be told ExpiredToken. */
const NO_REASON: Meaning = [
  'UNAUTHENTICATED',
  'refuses the request (400) and gives no reason. Temporary keys may have expired, or the region may be wrong',
];
const NOT_DONE: Meaning = [
  'UNSUPPORTED',
  'does not know this request, or one of its headers. On a server that is not AWS set requestChecksumCalculation to ' +
    'WHEN_REQUIRED or, when create-only writes fail, conditionalWrites to false',
];

/** What the server's error codes mean here; of those in no list their HTTP status decides. */
const MEANINGS: Readonly<Record<string, Meaning>> = {
  NoSuchKey: ['NOT_FOUND', 'has no such object'],
  NoSuchBucket: NO_BUCKET,
  InvalidBucketName: NO_BUCKET,
  NoSuchUpload: [
    'UNAVAILABLE',
    'has forgotten the upload: sweepIncomplete, a lifecycle rule or another process has removed it. Upload again',
  ],
  AccessDenied: DENIED,
  AllAccessDisabled: DENIED,
  InvalidAccessKeyId: UNKNOWN_KEY,
  InvalidToken: UNKNOWN_KEY,
  ExpiredToken: EXPIRED,
  ExpiredTokenException: EXPIRED,
  TokenRefreshRequired: EXPIRED,
  SignatureDoesNotMatch: [
    'UNAUTHENTICATED',
    'refuses the signature: the secret is not that of the access key. Look at credentials.secretAccessKey, also for ' +
      'blanks at its ends',
  ],
  RequestTimeTooSkewed: [
    'UNAUTHENTICATED',
    "refuses the signature's time: this machine's clock is wrong. Set it (NTP)",
  ],
  CredentialsProviderError: [
    'UNAUTHENTICATED',
    'got no request, because no credentials were found. Set credentials, or give this process an AWS profile or role',
  ],
  TokenProviderError: ['UNAUTHENTICATED', 'got no request, because the login has ended. Log in again (aws sso login)'],
  PermanentRedirect: WRONG_REGION,
  TemporaryRedirect: WRONG_REGION,
  AuthorizationHeaderMalformed: WRONG_REGION,
  IllegalLocationConstraintException: WRONG_REGION,
  SlowDown: SLOW_DOWN,
  TooManyRequests: SLOW_DOWN,
  TooManyRequestsException: SLOW_DOWN,
  ThrottlingException: SLOW_DOWN,
  RequestLimitExceeded: SLOW_DOWN,
  ServiceUnavailable: BUSY,
  InternalError: BUSY,
  OperationAborted: BUSY,
  ConditionalRequestConflict: ['UNAVAILABLE', 'has another write of this key under way. Try again'],
  QuotaExceeded: FULL,
  XMinioStorageFull: FULL,
  XMinioAdminBucketQuotaExceeded: FULL,
  PreconditionFailed: ['PRECONDITION_FAILED', 'holds another version than the one that was named'],
  InvalidRange: ['RANGE_NOT_SATISFIABLE', 'has an object that is shorter than where the range starts'],
  BadDigest: BAD_BYTES,
  InvalidDigest: BAD_BYTES,
  XAmzContentSHA256Mismatch: BAD_BYTES,
  XAmzContentChecksumMismatch: BAD_BYTES,
  IncompleteBody: ['NETWORK', 'did not get the whole request'],
  RequestTimeout: ['TIMEOUT', 'has waited too long for the next bytes'],
  EntityTooLarge: ['TOO_LARGE', 'takes no request of this size. Set a smaller partBytes'],
  EntityTooSmall: ['INVALID_CONFIG', 'wants larger parts. Set a larger partBytes'],
  KeyTooLongError: ['INVALID_KEY', 'takes no key of this length, prefix included'],
  InvalidStorageClass: ['INVALID_CONFIG', 'does not know the storage class. Correct the option storageClass'],
  InvalidObjectState: [
    'UNAVAILABLE',
    'has moved the object to an archive. Restore it, and take GLACIER and DEEP_ARCHIVE out of the lifecycle rules',
  ],
  NotImplemented: NOT_DONE,
  MethodNotAllowed: NOT_DONE,
  MissingContentLength: NOT_DONE,
};

const STATUSES: Readonly<Record<number, Meaning>> = {
  301: WRONG_REGION,
  307: WRONG_REGION,
  401: UNKNOWN_KEY,
  403: DENIED,
  405: NOT_DONE,
  408: ['TIMEOUT', 'has waited too long for the request'],
  411: NOT_DONE,
  412: ['PRECONDITION_FAILED', 'holds another version than the one that was named'],
  416: ['RANGE_NOT_SATISFIABLE', 'has an object that is shorter than where the range starts'],
  429: SLOW_DOWN,
  501: NOT_DONE,
  507: FULL,
};

interface Answer {
  readonly name: string;
  readonly said: string;
  readonly status: number | undefined;
  readonly requestId: string | undefined;
  readonly headers: Readonly<Record<string, string>>;
  readonly region: string | undefined;
}

/** Any error of a call as a StorageError that says what happened, to what, and what to do next. */
export function toStorageError(error: unknown, call: S3Call): StorageError {
  if (StorageError.is(error)) return withCall(error, call);
  const answer = answerOf(error);
  const details: StorageErrorDetails = {
    ...detailsOf(call),
    ...committedOf(error, call, answer),
    cause: withoutSecrets(error),
  };
  const [code, text] = meaningOf(answer, call) ?? outsideOf(error);
  if (code === 'ABORTED') return new StorageError('ABORTED', 'The caller aborted.', { ...details, scope: 'local' });
  const retryAfterMs = retryAfterOf(answer);
  const said = ['', 'UnknownError', answer.name].includes(answer.said) ? answer.name : `${answer.name}: ${answer.said}`;
  return new StorageError(
    code,
    `Storage "${call.storage}" ${typeof text === 'string' ? text : text(call, answer)}. ${what(call)} (${said}).`,
    {
      ...details,
      ...(retryAfterMs === undefined ? {} : { retryAfterMs, retry: 'after' }),
      ...(code === 'UNAVAILABLE' && answer.name === 'InvalidObjectState' ? { retry: 'never' } : {}),
      ...(answer.status === undefined ? {} : { httpStatus: answer.status }),
      ...(answer.requestId === undefined ? {} : { requestId: answer.requestId }),
    },
  );
}

function meaningOf({ name, status, said, region }: Answer, { ifAbsent, permission }: S3Call): Meaning | undefined {
  if (ifAbsent && status === 412) return ['ALREADY_EXISTS', 'has an object there already'];
  // the answer to a HEAD, which has no body that could say more
  if (name === 'NotFound' && permission === 's3:ListBucket') return NO_BUCKET;
  if (name === 'NotFound' && permission === 's3:GetObject') return MEANINGS['NoSuchKey'];
  if (Object.hasOwn(MEANINGS, name)) return MEANINGS[name];
  if (status === 400 && name === 'Unknown') return region === undefined ? NO_REASON : WRONG_REGION;
  if (name.startsWith('KMS.')) {
    return [
      'INVALID_CONFIG',
      'cannot use the encryption key of the bucket. Allow this identity to use it, or change it',
    ];
  }
  if (status === undefined || status < 300) return undefined;
  if (status === 400 && /checksum/i.test(said)) return NOT_DONE;
  if (Object.hasOwn(STATUSES, status)) return STATUSES[status];
  if (status >= 500) return BUSY;
  return [
    'INVALID_CONFIG',
    `gave an answer (${status}) that S3 does not give here. Look whether endpoint, forcePathStyle and storageClass are right`,
  ];
}

/** What did not come from the server, but from the way to it. */
function outsideOf(error: unknown): Meaning {
  const { name, code } = (error ?? {}) as { name?: unknown; code?: unknown };
  if (name === 'AbortError') return ['ABORTED', ''];
  // before the name: the SDK calls a connection that was reset a time-out, too
  if (code === 'ECONNRESET' || code === 'EPIPE') return BROKEN;
  if (name === 'TimeoutError') return ['TIMEOUT', 'has not answered in time'];
  if (/^(CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|ERR_TLS_)/.test(String(code))) {
    return ['INVALID_CONFIG', 'has a TLS certificate that this machine does not trust. See NODE_EXTRA_CA_CERTS'];
  }
  if (typeof code === 'string' && /^(E[A-Z]{3,}|EAI_AGAIN|ERR_SSL_\w+|HPE_\w+|UND_\w+)$/.test(code)) {
    return BROKEN;
  }
  const { $response } = (error ?? {}) as { $response?: unknown };
  if ($response !== undefined || name === 'SyntaxError') {
    return ['INVALID_CONFIG', 'gave an answer that is not S3. Look at the option endpoint'];
  }
  return ['INTERNAL', 'met a defect: please report it'];
}

function denied({ bucket, path, region, permission = 's3:ListBucket' }: S3Call): string {
  const partition = region.startsWith('cn-') ? 'aws-cn' : region.startsWith('us-gov-') ? 'aws-us-gov' : 'aws';
  const arn = `arn:${partition}:s3:::${bucket}`;
  const ofBucket = ['s3:ListBucket', 's3:ListBucketMultipartUploads', 's3:GetLifecycleConfiguration'];
  const needed = `${permission} on ${ofBucket.includes(permission) ? arn : `${arn}/${path ?? '*'}`}`;
  const lists = `and s3:ListBucket on ${arn}, without which an absent object is answered with 403, too`;
  return `may not be used like this by its credentials: allow ${needed}${permission === 's3:GetObject' ? `, ${lists}` : ''}`;
}

function wrongRegion({ bucket, region }: S3Call, { region: right, said }: Answer): string {
  const expected = right ?? /expecting '([\w-]+)'/.exec(said)?.[1];
  const todo = expected ? `set the option region to ${expected}` : 'correct the option region';
  return `does not have its bucket "${bucket}" in ${region}: ${todo}`;
}

function answerOf(error: unknown): Answer {
  const fields = (error ?? {}) as Record<string, unknown>;
  const metadata = (fields['$metadata'] ?? {}) as { httpStatusCode?: number; requestId?: string };
  const response = (fields['$response'] ?? {}) as { statusCode?: number; headers?: Record<string, string> };
  const headers = response.headers ?? {};
  return {
    name: nameOf(fields),
    said: typeof fields['message'] === 'string' ? fields['message'].trim().replace(/\.$/, '') : '',
    status: metadata.httpStatusCode ?? response.statusCode,
    requestId: metadata.requestId,
    headers,
    region: headers['x-amz-bucket-region'] ?? (typeof fields['Region'] === 'string' ? fields['Region'] : undefined),
  };
}

/** Of errors that are not the server's, the code says more. */
function nameOf({ name, code }: Record<string, unknown>): string {
  const isOurs = typeof name !== 'string' || name === 'Error' || name === 'TimeoutError';
  if (isOurs && typeof code === 'string') return code;
  return typeof name === 'string' ? name : 'Error';
}

/** Milliseconds; the header has seconds or a date. */
function retryAfterOf({ headers }: Answer): number | undefined {
  const value = headers['retry-after'];
  if (value === undefined) return undefined;
  const ms = /^\d+(\.\d+)?$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now();
  return Number.isNaN(ms) ? undefined : Math.max(0, Math.round(ms));
}

function committedOf(error: unknown, { commits }: S3Call, { name }: Answer): StorageErrorDetails {
  return commits && (name === 'AbortError' || mayHaveArrived(error)) ? { committed: 'unknown' } : {};
}

/** Servers quote what they refuse, tokens too, and the SDK puts all of it on the error: whoever logs it would log them. */
function withoutSecrets(error: unknown): unknown {
  if (typeof error !== 'object' || error === null) return error;
  for (const name of Object.keys(error)) {
    if (/^(Token|CanonicalRequest)/.test(name)) Reflect.deleteProperty(error, name);
  }
  return error;
}

function withCall(error: StorageError, call: S3Call): StorageError {
  if (error.storage !== undefined) return error;
  const { code, message, scope, retry, committed, retryAfterMs, httpStatus, requestId, cause } = error;
  return new StorageError(code, message, {
    ...detailsOf(call),
    scope,
    retry,
    committed: code === 'ABORTED' && call.commits ? 'unknown' : committed,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    ...(httpStatus === undefined ? {} : { httpStatus }),
    ...(requestId === undefined ? {} : { requestId }),
    cause,
  });
}

function detailsOf({ storage, operation, key }: S3Call): StorageErrorDetails {
  return { storage, operation, ...(key === undefined ? {} : { key }) };
}

const what = ({ operation, bucket, path }: S3Call): string =>
  `This was ${operation} of s3://${bucket}${path === undefined ? '' : `/${path}`}`;
