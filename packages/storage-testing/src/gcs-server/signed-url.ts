import { createHash, verify } from 'node:crypto';
import type { Caller } from './callers.ts';
import type { ServiceAccounts } from './service-accounts.ts';
import { headerOf, type WireRequest } from './wire.ts';
import { XmlError } from './xml-error.ts';

const ALGORITHM = 'GOOG4-RSA-SHA256';
const MAX_EXPIRES_SECONDS = 604_800;
const MAX_SKEW_MS = 15 * 60 * 1000;

type Parameters = readonly (readonly [name: string, value: string])[];

/**
 * Checks a V4 signed URL: well-formed, in its time, and signed over this very request by an account that is known.
 *
 * @returns the account that signed, whose permissions count; nothing when the URL is not signed
 * @throws XmlError `MalformedSecurityHeader`, `ExpiredToken`, `RequestTimeTooSkewed`, `SignatureDoesNotMatch`
 * @see https://cloud.google.com/storage/docs/authentication/canonical-requests
 */
export function signerOf(request: WireRequest, accounts: ServiceAccounts, now: Date): Caller | undefined {
  if (!request.query.has('X-Goog-Signature')) return undefined;
  const parameters = parametersOf(request.search);
  const value = (name: string): string => parameters.find(([key]) => key === name)?.[1] ?? '';

  if (value('X-Goog-Algorithm') !== ALGORITHM) throw malformed('X-Goog-Algorithm', 'Unsupported algorithm.');
  const date = value('X-Goog-Date');
  const [email = '', scope = ''] = splitOnce(value('X-Goog-Credential'), '/');
  if (!new RegExp(`^${date.slice(0, 8)}/[^/]+/storage/goog4_request$`).test(scope)) {
    throw malformed('X-Goog-Credential', 'Invalid credential scope.');
  }
  demandTime(date, value('X-Goog-Expires'), now);
  const signedHeaders = value('X-Goog-SignedHeaders').split(';');
  demandHeaders(request, signedHeaders);

  const name = accounts.named(email);
  const signature = Buffer.from(value('X-Goog-Signature'), 'hex');
  const candidates = canonicalRequests(request, parameters, signedHeaders).map((canonical) => ({
    canonical,
    toSign: [ALGORITHM, date, scope, createHash('sha256').update(canonical).digest('hex')].join('\n'),
  }));
  const signed =
    name !== undefined &&
    candidates.some(({ toSign }) => verify('RSA-SHA256', Buffer.from(toSign), accounts.publicKey(name), signature));
  if (signed) return accounts.caller(name);
  throw new XmlError(
    403,
    'SignatureDoesNotMatch',
    'The request signature we calculated does not match the signature you provided. ' +
      'Check your Google secret key and signing method.',
    { StringToSign: candidates[0]?.toSign ?? '', CanonicalRequest: candidates[0]?.canonical ?? '' },
  );
}

/** Its time is checked before its signature: a life that was shortened by hand is over, not forged (measured 2026-09). */
function demandTime(date: string, expires: string, now: Date): void {
  const from = Date.parse(date.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z'));
  if (Number.isNaN(from)) throw malformed('X-Goog-Date', 'Invalid date.');
  const seconds = /^\d+$/.test(expires) ? Number(expires) : 0;
  if (seconds < 1 || seconds > MAX_EXPIRES_SECONDS) throw malformed('X-Goog-Expires', 'Invalid expiration time.');
  if (from > now.getTime() + MAX_SKEW_MS) {
    const message = "The difference between the request time and the server's time is too large.";
    throw new XmlError(403, 'RequestTimeTooSkewed', message);
  }
  const until = from + seconds * 1000;
  if (now.getTime() <= until) return;
  const instant = new Date(until).toISOString().replace('.000Z', '+00:00');
  throw new XmlError(400, 'ExpiredToken', 'Invalid argument.', {
    Details: `The provided token has expired. Request signature expired at: ${instant}`,
  });
}

function demandHeaders(request: WireRequest, signedHeaders: readonly string[]): void {
  const missing = signedHeaders.find((name) => request.headers[name] === undefined);
  if (missing !== undefined) throw malformed(missing, 'Header was included in signedheaders, but not in the request.');
  const unsigned = Object.keys(request.headers).find(
    (name) => name.startsWith('x-goog-') && !signedHeaders.includes(name),
  );
  if (unsigned !== undefined)
    throw malformed(unsigned, 'Header was included in the request, but not in signedheaders.');
}

/**
 * What may have been signed: a URL for GET is good for HEAD, and the SDK signs the host without its port, which is right
 * with Google, where there is none.
 */
function canonicalRequests(request: WireRequest, parameters: Parameters, signedHeaders: readonly string[]): string[] {
  const host = headerOf(request, 'host') ?? '';
  const methods = request.method === 'HEAD' ? ['HEAD', 'GET'] : [request.method];
  const hosts = [host.replace(/:\d+$/, ''), host];
  const path = decodeURIComponent(request.path).split('/').map(encoded).join('/');
  const query = parameters
    .filter(([name]) => name !== 'X-Goog-Signature')
    .map(([name, value]) => `${encoded(name)}=${encoded(value)}`)
    .sort((a, b) => (a < b ? -1 : 1))
    .join('&');
  const payload = signedHeaders.includes('x-goog-content-sha256')
    ? headerOf(request, 'x-goog-content-sha256')
    : 'UNSIGNED-PAYLOAD';
  return methods.flatMap((method) =>
    hosts.map((name) => {
      const headers = signedHeaders
        .map((header) => `${header}:${header === 'host' ? name : squeezed(headerOf(request, header) ?? '')}\n`)
        .join('');
      return [method, path, query, headers, signedHeaders.join(';'), payload].join('\n');
    }),
  );
}

/** Unlike a form's, a `+` in these stands for itself. */
function parametersOf(search: string): Parameters {
  return search.split('&').map((pair) => {
    const [name = '', value = ''] = splitOnce(pair, '=');
    return [decodeURIComponent(name), decodeURIComponent(value)] as const;
  });
}

function splitOnce(text: string, separator: string): readonly string[] {
  const at = text.indexOf(separator);
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + separator.length)];
}

const squeezed = (value: string): string => value.trim().replace(/\s{2,}/g, ' ');

/** RFC 3986: all but letters, digits and `-._~`. */
const encoded = (text: string): string =>
  encodeURIComponent(text).replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`);

const malformed = (parameter: string, details: string): XmlError =>
  new XmlError(400, 'MalformedSecurityHeader', 'Invalid argument.', {
    Details: `Your request has a malformed header. ${details}`,
    ParameterName: parameter,
  });
