import type { OutgoingHttpHeaders } from 'node:http';
import { answer, type Answer, jsonAnswer } from './wire.ts';

/** A refusal in the words of the JSON API; the XML API says the same in its own (`xml-error.ts`). */
export class GcsError extends Error {
  override readonly name = 'GcsError';
  readonly status: number;
  readonly reason: string;
  /** The header or parameter that is to blame. */
  readonly location: { readonly locationType: 'header' | 'parameter'; readonly location: string } | undefined;
  readonly headers: OutgoingHttpHeaders;
  /** Said in plain words instead of JSON: the upload protocol does that of its own rules. */
  readonly plain: boolean;
  /** How the XML API calls it, where the reason alone does not tell. */
  readonly xmlCode: string | undefined;

  constructor(
    status: number,
    reason: string,
    message: string,
    details: { location?: GcsError['location']; headers?: OutgoingHttpHeaders; plain?: boolean; xmlCode?: string } = {},
  ) {
    super(message);
    this.status = status;
    this.reason = reason;
    this.location = details.location;
    this.headers = details.headers ?? {};
    this.plain = details.plain ?? false;
    this.xmlCode = details.xmlCode;
  }

  toAnswer(): Answer {
    if (this.plain) return this.toText('text/plain');
    const error = { message: this.message, domain: 'global', reason: this.reason, ...this.location };
    const body = { error: { code: this.status, message: this.message, errors: [error] } };
    return jsonAnswer(this.status, body, this.headers);
  }

  /** A download (`alt=media`) is refused in plain words under `text/html`. */
  toText(contentType: 'text/html' | 'text/plain'): Answer {
    return answer(this.status, { 'content-type': `${contentType}; charset=UTF-8`, ...this.headers }, this.message);
  }
}

export const noSuchBucket = (): GcsError =>
  new GcsError(404, 'notFound', 'The specified bucket does not exist.', { xmlCode: 'NoSuchBucket' });

export const noSuchObject = (bucket: string, name: string): GcsError =>
  new GcsError(404, 'notFound', `No such object: ${bucket}/${name}`, { xmlCode: 'NoSuchKey' });

export const invalid = (message: string, xmlCode = 'InvalidArgument'): GcsError =>
  new GcsError(400, 'invalid', message, { xmlCode });

export const conditionNotMet = (): GcsError =>
  new GcsError(412, 'conditionNotMet', 'At least one of the pre-conditions you specified did not hold.', {
    location: { locationType: 'header', location: 'If-Match' },
  });
