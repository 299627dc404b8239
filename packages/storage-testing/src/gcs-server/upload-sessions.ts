import { randomBytes } from 'node:crypto';
import { claimsOfHeader, type ChecksumClaims } from './checksum-claims.ts';
import { contentRange } from './content-range.ts';
import { GcsError, invalid } from './gcs-error.ts';
import type { Arrival, GcsObject } from './object-store.ts';
import { headerOf, type WireRequest } from './wire.ts';

/** An upload session that is neither finished nor cancelled. */
export interface GcsSession {
  readonly uploadId: string;
  readonly bucket: string;
  readonly name: string;
  /** What a status query would report. */
  readonly persistedBytes: number;
  readonly started: Date;
}

/** What opens a session. */
export interface SessionStart extends Omit<Arrival, 'bytes'> {
  readonly bucket: string;
  /** `X-Upload-Content-Length`. */
  readonly declaredBytes: number | undefined;
  /** Stores the object under all that was said at the start. @throws GcsError */
  readonly commit: (arrival: Arrival) => GcsObject;
}

/** How a request to a session is answered: the object once it is there, else how much is. */
export type Progress = { readonly object: GcsObject } | { readonly persistedBytes: number };

interface Session extends SessionStart {
  readonly started: Date;
  readonly chunks: Buffer[];
  persistedBytes: number;
  state: 'open' | 'gone' | { readonly object: GcsObject };
}

/** What is persisted of an unfinished upload is a multiple of this. */
const QUANTUM_BYTES = 256 * 1024;
const WEEK_MS = 7 * 24 * 3600 * 1000;

/**
 * The sessions of resumable uploads.
 * @see https://cloud.google.com/storage/docs/performing-resumable-uploads
 */
export class UploadSessions {
  readonly #sessions = new Map<string, Session>();
  readonly #now: () => Date;

  constructor(now: () => Date) {
    this.#now = now;
  }

  open(): readonly GcsSession[] {
    return [...this.#sessions]
      .filter(([, session]) => session.state === 'open')
      .map(([uploadId, { bucket, name, persistedBytes, started }]) => ({
        uploadId,
        bucket,
        name,
        persistedBytes,
        started,
      }));
  }

  /** @returns the session's `upload_id` */
  start(start: SessionStart): string {
    const uploadId = randomBytes(24).toString('base64url');
    this.#sessions.set(uploadId, { ...start, started: this.#now(), chunks: [], persistedBytes: 0, state: 'open' });
    return uploadId;
  }

  /** @throws GcsError 404, 410 */
  cancel(uploadId: string): void {
    const session = this.#find(uploadId);
    session.state = 'gone';
    session.chunks.length = 0;
  }

  /**
   * Takes a chunk, or answers how far the upload is.
   * @throws GcsError 404, 410, 400, 412, and 503 for a chunk that begins behind what is persisted
   */
  put(uploadId: string, request: WireRequest): Progress {
    const session = this.#find(uploadId);
    if (session.state !== 'open' && session.state !== 'gone') return session.state;
    const range = contentRange(headerOf(request, 'content-range'), request.body.byteLength);
    demandLength(session, range.total);
    if (range.kind === 'query') {
      return range.total === session.persistedBytes ? this.#commit(session, request) : session;
    }
    demandOffset(session, range.start);
    const endOfObject = range.total ?? (range.end === undefined ? range.start + request.body.byteLength : undefined);
    if (!request.cut) demandBody(request.body, range, endOfObject);
    // bytes that are persisted already are not looked at again
    const fresh = request.body.subarray(session.persistedBytes - range.start);
    const end = session.persistedBytes + fresh.byteLength;
    if (!request.cut && end === endOfObject) {
      append(session, fresh);
      return this.#commit(session, request);
    }
    const keep = Math.floor(end / QUANTUM_BYTES) * QUANTUM_BYTES - session.persistedBytes;
    append(session, fresh.subarray(0, Math.max(0, keep)));
    return session;
  }

  #find(uploadId: string): Session {
    const session = this.#sessions.get(uploadId);
    if (!session) throw new GcsError(404, 'notFound', 'No upload session has this upload_id.');
    const expired = session.started.getTime() + WEEK_MS <= this.#now().getTime();
    if (session.state === 'gone' || expired) throw new GcsError(410, 'gone', 'The upload session is gone.');
    return session;
  }

  #commit(session: Session, request: WireRequest): Progress {
    const bytes = Buffer.concat(session.chunks);
    const claims: ChecksumClaims = { ...session.claims, ...claimsOfHeader(headerOf(request, 'x-goog-hash')) };
    // whatever comes of it, nothing can be added any more
    session.state = 'gone';
    session.chunks.length = 0;
    const object = session.commit({ ...session, bytes, claims });
    session.state = { object };
    return { object };
  }
}

function append(session: Session, bytes: Buffer): void {
  session.chunks.push(bytes);
  session.persistedBytes += bytes.byteLength;
}

function demandLength({ declaredBytes }: Session, total: number | undefined): void {
  if (declaredBytes === undefined || total === undefined || declaredBytes === total) return;
  throw invalid(`X-Upload-Content-Length is ${declaredBytes}, Content-Range says ${total}.`);
}

function demandOffset({ persistedBytes }: Session, start: number): void {
  if (start <= persistedBytes) return;
  throw new GcsError(
    503,
    'offsetTooHigh',
    `Invalid request.  According to the Content-Range header, the upload offset is ${start} byte(s), ` +
      `which exceeds already uploaded size of ${persistedBytes} byte(s).`,
    { plain: true },
  );
}

/** The body is what its header says; a chunk that is not the last one is large enough. */
function demandBody(
  body: Buffer,
  { start, end }: { readonly start: number; readonly end: number | undefined },
  endOfObject: number | undefined,
): void {
  const bytes = body.byteLength;
  if (end !== undefined && bytes !== end + 1 - start) {
    throw invalid(`Content-Range announces ${end + 1 - start} bytes, the body has ${bytes}.`);
  }
  const endOfBody = start + bytes;
  if (endOfObject !== undefined && endOfBody > endOfObject) {
    throw invalid(`The upload has ${endOfBody} bytes, Content-Range says ${endOfObject}.`);
  }
  if (endOfBody !== endOfObject && bytes < QUANTUM_BYTES) {
    throw new GcsError(
      400,
      'chunkTooSmall',
      `Invalid request.  The number of bytes uploaded is required to be equal or greater than ${QUANTUM_BYTES}, ` +
        `except for the final request (it's recommended to be the exact multiple of ${QUANTUM_BYTES}).  ` +
        `The received request contained ${bytes} bytes, which does not meet this requirement.`,
      { plain: true },
    );
  }
}
