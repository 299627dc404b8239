import { redactUrls, StorageError, type StorageErrorCode, type StorageErrorDetails } from '@paradoxon/storage';

/** What was asked of which bucket, for the error that comes of it. */
export interface GcsCall extends StorageErrorDetails {
  readonly storage: string;
  readonly bucket: string;
  readonly operation: string;
}

/** An answer that is no success. */
export interface Refusal {
  readonly status: number;
  readonly headers: Headers;
  readonly body: string;
}

/** A refusal, as far as its JSON goes. */
interface Said {
  readonly status: number;
  /** `errors[0].reason`: 'forbidden', 'rateLimitExceeded', … */
  readonly reason: string;
  readonly message: string;
}

interface Meaning {
  readonly code: StorageErrorCode;
  readonly when: (said: Said) => boolean;
  /** Completes 'Storage "gcs" (gs://bucket) …'. */
  readonly text: string | ((said: Said, call: GcsCall) => string);
}

const RATE = /^(userRateLimitExceeded|rateLimitExceeded|slowDown)$/;
const QUOTA = /quota|dailyLimit|accountDisabled|AccountProblem|billing/i;
const WRONG_CHECKSUM = /(CRC32C|MD5).*doesn't match/i;

/** What Google's refusals mean here; the first that fits. */
const MEANINGS: readonly Meaning[] = [
  {
    code: 'UNAUTHENTICATED',
    when: ({ status }) => status === 401,
    text: 'does not accept these credentials: look whether they were revoked, and at the clock of this machine',
  },
  {
    code: 'RATE_LIMITED',
    when: ({ status, reason }) => status === 429 || (status === 403 && RATE.test(reason)),
    text: 'asks to be called less often',
  },
  {
    code: 'QUOTA_EXCEEDED',
    when: ({ status, reason }) => status === 403 && QUOTA.test(reason),
    text: 'has no quota left, or its project no billing account in good standing: look at both in the console',
  },
  { code: 'PERMISSION_DENIED', when: ({ status }) => status === 403, text: missingPermission },
  {
    code: 'INVALID_CONFIG',
    when: ({ status, message }) => status === 404 && /bucket does not exist/i.test(message),
    text: 'does not exist: create the bucket, or correct the option bucket',
  },
  {
    code: 'NOT_FOUND',
    when: ({ status, message }) => status === 404 && /^No such object/i.test(message),
    text: 'has no such object',
  },
  {
    code: 'INVALID_CONFIG',
    when: ({ status }) => status === 404 || (status >= 300 && status < 400),
    text: 'is not served there: the server does not answer like Cloud Storage. Look at the option endpoint',
  },
  { code: 'TIMEOUT', when: ({ status }) => status === 408, text: 'did not receive the request in time' },
  { code: 'PRECONDITION_FAILED', when: ({ status }) => status === 412, text: 'holds another version' },
  { code: 'TOO_LARGE', when: ({ status }) => status === 413, text: 'takes no object of this size' },
  { code: 'RANGE_NOT_SATISFIABLE', when: ({ status }) => status === 416, text: 'has no byte of this range' },
  {
    code: 'CHECKSUM_MISMATCH',
    when: ({ status, message }) => status === 400 && WRONG_CHECKSUM.test(message),
    text: 'received other bytes than were sent',
  },
  {
    code: 'INVALID_CONFIG',
    when: ({ status, message }) => status === 400 && /bucket name|storage ?class/i.test(message),
    text: 'cannot be used like this: look at the options bucket and storageClass',
  },
  { code: 'UNAVAILABLE', when: ({ status }) => status >= 500, text: 'cannot serve now' },
];

/** What each operation needs, where the answer does not say it. */
const PERMISSIONS: Readonly<Record<string, string>> = {
  put: 'storage.objects.create (and storage.objects.delete to overwrite)',
  open: 'storage.objects.get',
  head: 'storage.objects.get',
  delete: 'storage.objects.delete',
  list: 'storage.objects.list',
  check: 'storage.objects.list',
};

function missingPermission({ message }: Said, { operation }: GcsCall): string {
  const permission = /\bstorage\.[a-zA-Z]+\.[a-zA-Z]+/.exec(message)?.[0] ?? PERMISSIONS[operation];
  const who = /^(\S+@\S+) does not have/.exec(message)?.[1] ?? 'the account of these credentials';
  return `may not be used for this: give ${who} the permission ${permission} on the bucket, for instance by the role roles/storage.objectUser`;
}

/** A refused request as a StorageError that says what happened, to what, and what to do. */
export function refusalError(refusal: Refusal, call: GcsCall): StorageError {
  const { status, headers } = refusal;
  const said = { status, ...reading(refusal.body) };
  const meaning = MEANINGS.find(({ when }) => when(said));
  const retryAfterMs = retryAfter(headers);
  const text = typeof meaning?.text === 'function' ? meaning.text(said, call) : meaning?.text;
  const quoted = [`HTTP ${status}`, said.reason, said.message].filter(Boolean).join(', ');
  // Google gives a reason; what gives none is something else that answers there
  const unknown = said.reason === '' ? NOT_GCS : REFUSED;
  return gcsError(meaning?.code ?? unknown.code, text ?? unknown.text, call, {
    quoted,
    httpStatus: status,
    requestId: headers.get('x-guploader-uploadid') ?? undefined,
    retryAfterMs,
    retry: retryAfterMs === undefined ? undefined : 'after',
  });
}

/**
 * A request that was not answered.
 * @param error what the HTTP client rejected with; its own message names the URL, its `code` is that of the socket
 */
export function transportError(error: unknown, call: GcsCall, signal: AbortSignal | undefined): StorageError {
  if (signal?.aborted) return abortError(call, signal);
  if (StorageError.is(error) && error.storage !== undefined) return error;
  const { code, message } = error as { code?: unknown; message?: unknown };
  const quoted = redactUrls(String(message));
  if (code === 'STALLED' || code === 'TIMEOUT') return gcsError(code, 'went silent', call, { quoted });
  return gcsError(
    'NETWORK',
    'cannot be reached, or the connection broke; look at the endpoint, name servers, proxy and firewall',
    call,
    {
      quoted,
      cause: new ConnectionError(quoted, typeof code === 'string' ? code : undefined),
    },
  );
}

/** What is left of the client's error: that one holds the whole request, with its bytes and the name of its session. */
const REFUSED = { code: 'INTERNAL', text: 'refused a request' } as const;
const NOT_GCS = {
  code: 'INVALID_CONFIG',
  text: 'gave an answer that Cloud Storage does not give here; look at the option endpoint',
} as const;

class ConnectionError extends Error {
  override readonly name = 'ConnectionError';
  readonly code: string | undefined;

  constructor(message: string, code: string | undefined) {
    super(message);
    this.code = code;
  }
}

/** Errors of a connection that never came about. */
const NEVER_SENT = ['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH'];

/** Whether the store may have done what it was asked, although the answer is an error or none. */
export function mayBeDone({ code, httpStatus, cause }: StorageError): boolean {
  // a success whose answer cannot be read is one all the same
  if (httpStatus !== undefined) return httpStatus < 300 || httpStatus >= 500 || httpStatus === 408;
  if (code === 'ABORTED' || code === 'STALLED' || code === 'TIMEOUT') return true;
  return code === 'NETWORK' && !(cause instanceof ConnectionError && NEVER_SENT.includes(cause.code ?? ''));
}

export function abortError(call: GcsCall, signal: AbortSignal): StorageError {
  return gcsError('ABORTED', 'was not waited for: the caller aborted', call, { scope: 'local', cause: signal.reason });
}

type Details = { readonly [Name in keyof StorageErrorDetails]?: StorageErrorDetails[Name] | undefined } & {
  /** What the other side, or the operating system, said. */
  readonly quoted?: string;
};

/** An error that names storage, bucket, operation and key. @param text completes 'Storage "gcs" (gs://bucket) …' */
export function gcsError(code: StorageErrorCode, text: string, call: GcsCall, details: Details = {}): StorageError {
  const { bucket, ...context } = call;
  const { quoted, ...rest } = details;
  const what = [call.operation, call.key].filter(Boolean).join(' ');
  const message = `Storage "${call.storage}" (gs://${bucket}) ${text}: ${what}${quoted ? ` (${quoted.slice(0, 500)})` : ''}.`;
  const given = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined));
  return new StorageError(code, message, { ...context, ...given });
}

/** The same error, which now says whether the write took effect. */
export function withCommitted(error: StorageError, committed: 'unknown' | 'yes'): StorageError {
  const { code, message, scope, retry, retryAfterMs, storage, operation, key, httpStatus, requestId, cause } = error;
  const details = { scope, retry, retryAfterMs, storage, operation, key, httpStatus, requestId, cause, committed };
  const given = Object.fromEntries(Object.entries(details).filter(([, value]) => value !== undefined));
  const done = operation === 'delete' ? 'deleted' : 'stored';
  return new StorageError(
    code,
    `${message} The object ${committed === 'yes' ? 'is' : 'may be'} ${done} all the same.`,
    given,
  );
}

function reading(body: string): { reason: string; message: string } {
  try {
    const { error } = JSON.parse(body) as { error?: { message?: unknown; errors?: { reason?: unknown }[] } };
    const reason = error?.errors?.[0]?.reason;
    if (typeof error?.message === 'string') {
      return { reason: typeof reason === 'string' ? reason : '', message: error.message };
    }
  } catch {
    // downloads and uploads are refused in plain words, proxies in HTML
  }
  return { reason: '', message: body.trim().slice(0, 300) };
}

function retryAfter(headers: Headers): number | undefined {
  const value = headers.get('retry-after');
  if (value === null) return undefined;
  const ms = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now();
  return Number.isNaN(ms) ? undefined : Math.max(0, ms);
}
