import { verify } from 'node:crypto';
import type { ServiceAccounts } from './service-accounts.ts';

/** Why a grant is refused, in the words of Google's token endpoint. */
export class GrantError extends Error {
  override readonly name = 'GrantError';
}

const GOOGLE_TOKEN_URL = 'https://oauth2.googleapis.com/token';
const MAX_LIFETIME_SECONDS = 3600;
const CLOCK_SKEW_SECONDS = 300;

/**
 * Checks the signed JWT with which a service account asks for an access token (RFC 7523).
 *
 * @param ownTokenUrl a right audience, beside Google's
 * @returns the name of the account
 * @throws GrantError
 */
export function accountOfGrant(assertion: string, accounts: ServiceAccounts, ownTokenUrl: string, now: Date): string {
  const [header = '', payload = '', signature = ''] = assertion.split('.');
  const { iss, aud, iat, exp } = claimsOf(payload);
  const name = typeof iss === 'string' ? accounts.named(iss) : undefined;
  if (name === undefined) throw new GrantError('Invalid grant: account not found');
  const signed = Buffer.from(`${header}.${payload}`);
  if (!verify('RSA-SHA256', signed, accounts.publicKey(name), Buffer.from(signature, 'base64url'))) {
    throw new GrantError('Invalid JWT Signature.');
  }
  if (aud !== GOOGLE_TOKEN_URL && aud !== ownTokenUrl) throw new GrantError('Invalid JWT: Failed audience check.');
  const seconds = now.getTime() / 1000;
  const timely =
    typeof iat === 'number' &&
    typeof exp === 'number' &&
    exp - iat <= MAX_LIFETIME_SECONDS &&
    exp > seconds &&
    iat <= seconds + CLOCK_SKEW_SECONDS;
  if (timely) return name;
  throw new GrantError(
    'Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. ' +
      'Check your iat and exp values in the JWT claim.',
  );
}

function claimsOf(payload: string): Readonly<Record<string, unknown>> {
  try {
    const claims: unknown = JSON.parse(Buffer.from(payload, 'base64url').toString());
    if (typeof claims === 'object' && claims !== null) return { ...claims };
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw new GrantError('Bad Request');
}
