import { sign } from 'node:crypto';
import type { Caller } from './callers.ts';
import { GcsError } from './gcs-error.ts';
import { accountOfGrant, GrantError } from './jwt-grant.ts';
import { PROJECT, type ServiceAccounts } from './service-accounts.ts';
import { answer, type Answer, headerOf, jsonAnswer, type WireRequest } from './wire.ts';

const JWT_GRANT = 'urn:ietf:params:oauth:grant-type:jwt-bearer';
const EXCHANGE_GRANT = 'urn:ietf:params:oauth:grant-type:token-exchange';
const METADATA = '/computeMetadata/v1';

/** Where access tokens and keyless signatures come from. */
export class IdentityApi {
  readonly #origin: () => string;
  readonly #accounts: ServiceAccounts;
  /** The account behind each subject token of workload identity federation. */
  readonly #subjectTokens: Readonly<Record<string, string>>;
  readonly #now: () => Date;

  constructor(
    origin: () => string,
    accounts: ServiceAccounts,
    subjectTokens: Readonly<Record<string, string>>,
    now: () => Date,
  ) {
    this.#origin = origin;
    this.#accounts = accounts;
    this.#subjectTokens = subjectTokens;
    this.#now = now;
  }

  /** @returns nothing when the request is for somebody else */
  handle(request: WireRequest): Answer | undefined {
    const { method, path } = request;
    if (`${method} ${path}` === 'POST /token') return this.#grant(new URLSearchParams(request.body.toString()));
    if (`${method} ${path}` === 'POST /v1/token') return this.#exchange(new URLSearchParams(request.body.toString()));
    if (`${path}/`.startsWith(`${METADATA}/`)) return this.#metadata(request);
    const [, email, verb] = /^\/v1\/projects\/-\/serviceAccounts\/([^/]+):(\w+)$/.exec(decodeURIComponent(path)) ?? [];
    return method === 'POST' && email !== undefined ? this.#credentials(request, email, verb) : undefined;
  }

  /** OAuth: a service account with a key. */
  #grant(form: URLSearchParams): Answer {
    if (form.get('grant_type') !== JWT_GRANT) return oauthError('unsupported_grant_type', 'Invalid grant_type');
    try {
      const ownUrl = `${this.#origin()}/token`;
      const name = accountOfGrant(form.get('assertion') ?? '', this.#accounts, ownUrl, this.#now());
      return jsonAnswer(200, this.#accounts.issueToken(name));
    } catch (error) {
      if (error instanceof GrantError) return oauthError('invalid_grant', error.message);
      throw error;
    }
  }

  /** Security Token Service: workload identity federation (RFC 8693). */
  #exchange(form: URLSearchParams): Answer {
    if (form.get('grant_type') !== EXCHANGE_GRANT) return oauthError('unsupported_grant_type', 'Invalid grant_type');
    const name = this.#subjectTokens[form.get('subject_token') ?? ''];
    if (name === undefined) return oauthError('invalid_grant', 'The subject token is not one of this pool.');
    const issued_token_type = 'urn:ietf:params:oauth:token-type:access_token';
    return jsonAnswer(200, { ...this.#accounts.issueToken(name), issued_token_type });
  }

  /** The metadata server of a Compute Engine machine: what `GCE_METADATA_HOST` points at. */
  #metadata({ path, headers }: WireRequest): Answer {
    const flavor = { 'metadata-flavor': 'Google' };
    if (headers['metadata-flavor'] !== 'Google') return answer(403, flavor, 'Missing Metadata-Flavor:Google header.');
    switch (path.slice(METADATA.length)) {
      case '/instance':
        return answer(200, { ...flavor, 'content-type': 'application/text' }, 'service-accounts/\n');
      case '/instance/service-accounts/default/token':
        return jsonAnswer(200, this.#accounts.issueToken(this.#accounts.first), flavor);
      case '/instance/service-accounts/default/email':
        return answer(200, { ...flavor, 'content-type': 'application/text' }, this.#firstEmail());
      case '/project/project-id':
        return answer(200, { ...flavor, 'content-type': 'application/text' }, PROJECT);
      case '/universe/universe-domain':
        return answer(200, { ...flavor, 'content-type': 'application/text' }, 'googleapis.com');
      default:
        return answer(404, flavor, 'Not Found');
    }
  }

  #firstEmail(): string {
    return this.#accounts.caller(this.#accounts.first).email ?? '';
  }

  /** IAM Service Account Credentials: sign, or act, as an account whose key one has not. */
  #credentials(request: WireRequest, email: string, verb: string | undefined): Answer {
    const caller = this.#authenticated(request);
    if (!caller) return iamError(401, 'UNAUTHENTICATED', 'Request had invalid authentication credentials.');
    const name = this.#accounts.named(email);
    const permission = `iam.serviceAccounts.${verb === 'signBlob' ? 'signBlob' : 'getAccessToken'}`;
    if (name === undefined || !caller.may(permission)) {
      const message = `Permission '${permission}' denied on resource (or it may not exist).`;
      return iamError(403, 'PERMISSION_DENIED', message);
    }
    const { payload = '', lifetime = '3600s' } = textsOf(request.body);
    if (verb === 'signBlob') return this.#signBlob(name, payload);
    if (verb !== 'generateAccessToken') return iamError(501, 'UNIMPLEMENTED', `This test double does not do ${verb}.`);
    const seconds = Number.parseInt(lifetime, 10);
    const expireTime = new Date(this.#now().getTime() + seconds * 1000).toISOString();
    return jsonAnswer(200, { accessToken: this.#accounts.issueToken(name, seconds).access_token, expireTime });
  }

  #signBlob(name: string, payload: string): Answer {
    const { private_key, private_key_id } = this.#accounts.key(name);
    const signedBlob = sign('RSA-SHA256', Buffer.from(payload, 'base64'), private_key).toString('base64');
    return jsonAnswer(200, { keyId: private_key_id, signedBlob });
  }

  #authenticated(request: WireRequest): Caller | undefined {
    try {
      return this.#accounts.callerOf(headerOf(request, 'authorization') ?? '');
    } catch (error) {
      if (error instanceof GcsError) return undefined;
      throw error;
    }
  }
}

/** The texts in a JSON object. */
function textsOf(body: Buffer): Readonly<Record<string, string>> {
  const value: unknown = JSON.parse(body.toString());
  const fields = typeof value === 'object' && value !== null ? Object.entries(value) : [];
  return Object.fromEntries(fields.filter((field): field is [string, string] => typeof field[1] === 'string'));
}

const oauthError = (error: string, description: string): Answer =>
  jsonAnswer(400, { error, error_description: description });

const iamError = (code: number, status: string, message: string): Answer =>
  jsonAnswer(code, { error: { code, message, status } });
