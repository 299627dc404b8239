import { readFile } from 'node:fs/promises';
import { StorageError } from '@paradoxon/storage';
import { type AuthClient, GoogleAuth, type JWTInput } from 'google-auth-library';
import { type GcsCall, gcsError } from './gcs-errors.ts';
import { type GcsStorageOptions, isCredentials } from './gcs-options.ts';

/** What IAM wants of everybody; what the account may do is a matter of its roles. */
const SCOPE = 'https://www.googleapis.com/auth/cloud-platform';

type CredentialOptions = Pick<GcsStorageOptions, 'keyFilename' | 'credentials' | 'projectId'>;

/** Google's own way to find and renew credentials, which are taken from the options where they are given. */
export class GcsAuth extends GoogleAuth<AuthClient> {
  readonly #keyFilename: string | undefined;

  constructor({ keyFilename, credentials, projectId }: CredentialOptions) {
    super({ scopes: SCOPE, ...(projectId === undefined ? {} : { projectId }) });
    // not by the options of GoogleAuth: those print a warning that is meant for whoever takes credentials from strangers
    this.jsonContent = (credentials as JWTInput | undefined) ?? null;
    this.#keyFilename = keyFilename;
  }

  override async getClient(): ReturnType<GoogleAuth<AuthClient>['getClient']> {
    if (this.#keyFilename !== undefined) this.jsonContent ??= await readKeyFile(this.#keyFilename);
    return super.getClient();
  }
}

/** How the credentials are found, in words; grants nothing. */
export function describeCredentials({ keyFilename, credentials }: CredentialOptions): string {
  if (keyFilename !== undefined) return `the file ${keyFilename}`;
  const { client_email: email, type } = credentials ?? {};
  if (typeof email === 'string') return `those of ${email}, given as options`;
  if (typeof type === 'string') return `of the type ${type}, given as options`;
  return 'found by Google (Application Default Credentials)';
}

async function readKeyFile(path: string): Promise<JWTInput> {
  const bad = (what: string, cause?: unknown): StorageError =>
    new StorageError('INVALID_CONFIG', `The credentials file ${path} ${what}. Look at the option keyFilename.`, {
      scope: 'local',
      cause,
    });
  let text;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    throw bad(`cannot be read (${(error as NodeJS.ErrnoException).code})`, error);
  }
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch {
    // the parser's complaint quotes the file
    throw bad('is no JSON');
  }
  if (typeof content !== 'object' || content === null || !isCredentials(content)) {
    throw bad('holds no credentials: it needs client_email and private_key, or a type');
  }
  return content;
}

/** Why no credentials could be had, as a StorageError. */
export function credentialsError(error: unknown, call: GcsCall): StorageError {
  const { message, code, response, config } = error as {
    message?: unknown;
    code?: unknown;
    response?: { status?: number; data?: unknown };
    config?: { url?: unknown };
  };
  const quoted = String(message);
  if (StorageError.is(error) && error.storage !== undefined) return error;
  if (StorageError.is(error)) return gcsError(error.code, 'has no credentials to use', call, { quoted, cause: error });
  if (quoted.includes('Could not load the default credentials')) {
    return gcsError('UNAUTHENTICATED', NO_CREDENTIALS, call);
  }
  if (String(config?.url).includes(PROJECT_NAMES)) {
    // only to know a name that nobody needs here, but without it the library gives up
    const text = 'has credentials that do not say for which project: set the option projectId';
    return gcsError('INVALID_CONFIG', text, call, { quoted });
  }
  const status = response?.status;
  if (status !== undefined) return refusedCredentials(status, response?.data, quoted, call);
  if (typeof code === 'string' && SOCKET_ERROR.test(code)) {
    return gcsError('NETWORK', 'has no credentials to use: nothing answers where tokens are issued', call, { quoted });
  }
  return gcsError('UNAUTHENTICATED', 'has credentials that cannot be used', call, { quoted });
}

/** Where the library of a workload identity asks for the name of its project. */
const PROJECT_NAMES = 'https://cloudresourcemanager.';
/** Not those of files and of keys (ENOENT, ERR_OSSL_UNSUPPORTED). */
const SOCKET_ERROR = /^E(CONN[A-Z]+|NOTFOUND|AI_[A-Z]+|TIMEDOUT|HOST[A-Z]+|NET[A-Z]+|PIPE)$/;
const NO_CREDENTIALS =
  'has no credentials: set GOOGLE_APPLICATION_CREDENTIALS to the path of a key file, or run "gcloud auth ' +
  'application-default login", or let it run on a Google machine with a service account';

function refusedCredentials(status: number, data: unknown, message: string, call: GcsCall): StorageError {
  const said = [`HTTP ${status}`, typeof data === 'object' && data ? JSON.stringify(data) : message];
  const details = { quoted: said.join(', '), httpStatus: status };
  if (status === 429 || status >= 500) {
    return gcsError('UNAVAILABLE', 'has no credentials to use: no tokens are issued now', call, details);
  }
  if (status === 403) {
    const text =
      'has credentials that may not be exchanged for a token: look at roles/iam.workloadIdentityUser and ' +
      'roles/iam.serviceAccountTokenCreator on the service account';
    return gcsError('PERMISSION_DENIED', text, call, details);
  }
  const todo = details.quoted.includes('invalid_grant')
    ? 'the key was deleted, or the clock of this machine is wrong (NTP), or the account is disabled'
    : 'look at the credentials';
  return gcsError('UNAUTHENTICATED', `has credentials that are refused: ${todo}`, call, details);
}
