import { createPublicKey, generateKeyPairSync, randomBytes } from 'node:crypto';
import { type Caller } from './callers.ts';
import { GcsError } from './gcs-error.ts';

export interface GcsServiceAccountOptions {
  /** All that it may, e.g. `['storage.objects.get', 'iam.serviceAccounts.signBlob']`. Default: everything. */
  readonly permissions?: readonly string[];
}

/** The file that one downloads from the console, ready for `credentials` or `keyFilename`. */
export interface GcsServiceAccountKey {
  readonly type: 'service_account';
  readonly project_id: string;
  readonly private_key_id: string;
  /** PEM, RSA of 2,048 bits. */
  readonly private_key: string;
  readonly client_email: string;
  readonly client_id: string;
  /** This server's `/token`. google-auth-library 11 ignores it and asks `oauth2.googleapis.com`. */
  readonly token_uri: string;
}

export interface AccessToken {
  readonly access_token: string;
  readonly expires_in: number;
  readonly token_type: 'Bearer';
}

/** The accounts, their keys, and the tokens that were given out. */
export class ServiceAccounts {
  readonly #options: Readonly<Record<string, GcsServiceAccountOptions>>;
  readonly #origin: () => string;
  readonly #now: () => Date;
  readonly #tokenSeconds: number;
  readonly #keys = new Map<string, GcsServiceAccountKey>();
  readonly #tokens = new Map<string, { readonly name: string; readonly expiresAt: number }>();

  constructor(
    options: Readonly<Record<string, GcsServiceAccountOptions>>,
    origin: () => string,
    now: () => Date,
    tokenSeconds: number,
  ) {
    this.#options = options;
    this.#origin = origin;
    this.#now = now;
    this.#tokenSeconds = tokenSeconds;
  }

  /** The account of the machine and of those who name none. */
  get first(): string {
    const [name = ''] = Object.keys(this.#options);
    return name;
  }

  /** Made when it is first asked for, because that takes a tenth of a second. */
  key(name: string): GcsServiceAccountKey {
    if (!(name in this.#options)) throw new Error(`No service account "${name}": name it in options.serviceAccounts.`);
    const known = this.#keys.get(name);
    if (known) return known;
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const key: GcsServiceAccountKey = {
      type: 'service_account',
      project_id: PROJECT,
      private_key_id: randomBytes(20).toString('hex'),
      private_key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
      client_email: emailOf(name),
      client_id: '100000000000000000001',
      token_uri: `${this.#origin()}/token`,
    };
    this.#keys.set(name, key);
    return key;
  }

  /** @returns the name of the account with this address, if there is one */
  named(email: string): string | undefined {
    return Object.keys(this.#options).find((name) => emailOf(name) === email);
  }

  /** PEM of the key to check a signature with. */
  publicKey(name: string): string {
    return createPublicKey(this.key(name).private_key).export({ type: 'spki', format: 'pem' }).toString();
  }

  caller(name: string): Caller {
    const { permissions } = this.#options[name] ?? { permissions: [] };
    return { email: emailOf(name), may: (permission) => permissions?.includes(permission) ?? true };
  }

  issueToken(name: string, seconds = this.#tokenSeconds): AccessToken {
    const token = `ya29.${randomBytes(32).toString('base64url')}`;
    this.#tokens.set(token, { name, expiresAt: this.#now().getTime() + seconds * 1000 });
    return { access_token: token, expires_in: seconds, token_type: 'Bearer' };
  }

  /**
   * @param authorization the header of this name
   * @throws GcsError 401 `authError` for a token that is unknown or expired
   */
  callerOf(authorization: string): Caller {
    const token = this.#tokens.get(authorization.replace(/^Bearer +/i, ''));
    if (token && token.expiresAt > this.#now().getTime()) return this.caller(token.name);
    throw new GcsError(401, 'authError', 'Invalid Credentials', {
      location: { locationType: 'header', location: 'Authorization' },
      headers: { 'www-authenticate': 'Bearer realm="https://accounts.google.com/", error="invalid_token"' },
    });
  }
}

/** The project of everything here. */
export const PROJECT = 'paradoxon-test';

const emailOf = (name: string): string => `${name}@${PROJECT}.iam.gserviceaccount.com`;
