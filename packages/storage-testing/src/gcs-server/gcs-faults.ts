import { GcsError } from './gcs-error.ts';
import { answer, type Answer, decodedPath, type WireRequest } from './wire.ts';

/**
 * What goes wrong with one request:
 * a status, with Google's JSON error unless a body is given; the request is read, nothing is done · `reset`: RST before
 * anything is read · `resetAfterBytes`: RST once so many bytes of the request's body have arrived, of which an upload
 * session keeps what the real one would · `stall`: read, and never answered · `lose-answer`: all is done, then RST ·
 * `cut`: all is done, the connection closes after half of the answer's body.
 */
export type GcsFault =
  | number
  | { readonly status: number; readonly headers?: Readonly<Record<string, string>>; readonly body?: string }
  | { readonly resetAfterBytes: number }
  | 'reset'
  | 'stall'
  | 'lose-answer'
  | 'cut';

/**
 * Which requests: all that a text begins like (`'POST /upload/storage/v1/b/films'`: the method and the decoded path), or
 * all of which everything given is true.
 */
export type GcsMatcher =
  | string
  | {
      readonly method?: string;
      /** Tested against the decoded path and, behind `?`, the query as it was sent. */
      readonly path?: RegExp;
      /** Tested against the header; without one, against ''. Tells a chunk from a status query. */
      readonly contentRange?: RegExp;
    };

type RequestHead = Pick<WireRequest, 'method' | 'path' | 'search' | 'headers'>;

const REASONS: Readonly<Record<number, string>> = {
  401: 'authError',
  403: 'forbidden',
  404: 'notFound',
  408: 'uploadBrokenConnection',
  410: 'gone',
  412: 'conditionNotMet',
  429: 'rateLimitExceeded',
  500: 'internalError',
  503: 'backendError',
};

/** Faults that wait for their requests. */
export class GcsFaults {
  readonly #plan: { readonly matcher: GcsMatcher; readonly fault: GcsFault }[] = [];

  get pending(): number {
    return this.#plan.length;
  }

  add(matcher: GcsMatcher, faults: readonly GcsFault[]): void {
    this.#plan.push(...faults.map((fault) => ({ matcher, fault })));
  }

  /** Takes the first fault that is meant for this request. */
  next(request: RequestHead): GcsFault | undefined {
    const at = this.#plan.findIndex(({ matcher }) => matches(matcher, request));
    return at < 0 ? undefined : this.#plan.splice(at, 1)[0]?.fault;
  }
}

/** @returns the answer that a fault is, if it is one */
export function faultAnswer(fault: GcsFault | undefined): Answer | undefined {
  if (typeof fault === 'number') return faultAnswer({ status: fault });
  if (typeof fault !== 'object' || !('status' in fault)) return undefined;
  const { status, headers = {}, body } = fault;
  if (body !== undefined) return answer(status, { 'content-type': 'text/plain; charset=UTF-8', ...headers }, body);
  return new GcsError(status, REASONS[status] ?? 'unknown', `Fails as planned with ${status}.`, { headers }).toAnswer();
}

function matches(matcher: GcsMatcher, { method, path, search, headers }: RequestHead): boolean {
  const decoded = decodedPath(path);
  if (typeof matcher === 'string') return `${method} ${decoded}`.startsWith(matcher);
  return (
    (matcher.method ?? method) === method &&
    (matcher.path?.test(search === '' ? decoded : `${decoded}?${search}`) ?? true) &&
    (matcher.contentRange?.test(headers['content-range'] ?? '') ?? true)
  );
}
