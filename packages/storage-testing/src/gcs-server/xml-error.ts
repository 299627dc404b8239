import type { OutgoingHttpHeaders } from 'node:http';
import type { GcsError } from './gcs-error.ts';
import { answer, type Answer } from './wire.ts';

/** What stands in the body of a refusal beside its code and message, in this order. */
export type XmlDetails = Readonly<Record<string, string>>;

/** A refusal in the words of the XML API. */
export class XmlError extends Error {
  override readonly name = 'XmlError';
  readonly status: number;
  readonly code: string;
  readonly details: XmlDetails;
  readonly headers: OutgoingHttpHeaders;

  constructor(
    status: number,
    code: string,
    message: string,
    details: XmlDetails = {},
    headers: OutgoingHttpHeaders = {},
  ) {
    super(message);
    this.status = status;
    this.code = code;
    this.details = details;
    this.headers = headers;
  }

  toAnswer(): Answer {
    const elements = Object.entries({ Code: this.code, Message: this.message, ...this.details })
      .map(([name, text]) => `<${name}>${escaped(text)}</${name}>`)
      .join('');
    return answer(
      this.status,
      { 'content-type': 'application/xml; charset=UTF-8', 'cache-control': 'private, max-age=0', ...this.headers },
      `<?xml version='1.0' encoding='UTF-8'?><Error>${elements}</Error>`,
    );
  }
}

/** By the reason of the JSON API; the message becomes the details where the XML API has one of its own. */
const BY_REASON: Readonly<Record<string, { status?: number; code: string; message?: string }>> = {
  authError: { code: 'AuthenticationRequired', message: 'Authentication required.' },
  // anonymous callers are not asked for credentials here
  required: { status: 403, code: 'AccessDenied', message: 'Access denied.' },
  forbidden: { code: 'AccessDenied', message: 'Access denied.' },
  conditionNotMet: { code: 'PreconditionFailed' },
  requestedRangeNotSatisfiable: { code: 'InvalidRange', message: 'The requested range cannot be satisfied.' },
};

const MESSAGES: Readonly<Record<string, string>> = {
  NoSuchKey: 'The specified key does not exist.',
  BadDigest: 'The Content-MD5 or x-goog-hash you specified did not match what we received.',
  CrcMismatch: 'The CRC32C you specified did not match what we computed.',
};

/** The same refusal, as the XML API says it. */
export function xmlErrorOf({ status, reason, message, headers, xmlCode }: GcsError): XmlError {
  const known = BY_REASON[reason] ?? { code: 'InvalidArgument' };
  const code = xmlCode ?? known.code;
  const own = MESSAGES[code] ?? known.message;
  return new XmlError(
    known.status ?? status,
    code,
    own ?? message,
    own === undefined ? {} : { Details: message },
    headers,
  );
}

const ESCAPES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;' };

const escaped = (text: string): string => text.replace(/[&<>]/g, (character) => ESCAPES[character] ?? character);
