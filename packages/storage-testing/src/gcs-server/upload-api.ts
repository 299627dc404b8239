import { type Caller, demand } from './callers.ts';
import { claimsOfHeader } from './checksum-claims.ts';
import { GcsError, invalid } from './gcs-error.ts';
import { notImplemented } from './json-api.ts';
import { relatedParts } from './multipart-related.ts';
import { parseResource, patched, type SentResource } from './object-metadata.ts';
import type { Arrival, GcsBucket, GcsObject, ObjectStore } from './object-store.ts';
import { demandForWrite, preconditionsOf } from './preconditions.ts';
import { objectResource } from './resources.ts';
import type { UploadSessions } from './upload-sessions.ts';
import { answer, type Answer, headerOf, jsonAnswer, type WireRequest } from './wire.ts';

const PATH = /^\/upload\/storage\/v1\/b\/([^/]+)\/o$/;

/** `objects.insert`: media, multipart and resumable. */
export class UploadApi {
  readonly #origin: () => string;
  readonly #store: ObjectStore;
  readonly #sessions: UploadSessions;

  constructor(origin: () => string, store: ObjectStore, sessions: UploadSessions) {
    this.#origin = origin;
    this.#store = store;
    this.#sessions = sessions;
  }

  /** A request to a session needs no authorization: its URI is one. */
  isSession({ method, path }: Pick<WireRequest, 'method' | 'path'>): boolean {
    return PATH.test(path) && (method === 'PUT' || method === 'DELETE');
  }

  /** @throws GcsError */
  handleSession(request: WireRequest): Answer {
    const uploadId = request.query.get('upload_id') ?? '';
    if (request.method === 'DELETE') {
      this.#sessions.cancel(uploadId);
      return answer(499);
    }
    const bucket = this.#bucket(request);
    const progress = this.#sessions.put(uploadId, request);
    if ('object' in progress) return this.#stored(bucket, progress.object);
    const { persistedBytes } = progress;
    return answer(308, persistedBytes === 0 ? {} : { range: `bytes=0-${persistedBytes - 1}` });
  }

  /** @throws GcsError */
  handle(request: WireRequest, caller: Caller): Answer {
    if (request.method !== 'POST' || !PATH.test(request.path)) throw notImplemented(request);
    const bucket = this.#bucket(request);
    demand(caller, 'storage.objects.create');
    switch (request.query.get('uploadType')) {
      case 'media':
        return this.#stored(bucket, this.#insert(bucket, caller, simple(request)));
      case 'multipart':
        return this.#stored(bucket, this.#insert(bucket, caller, multipart(request)));
      case 'resumable':
        return this.#start(bucket, caller, request);
      default:
        throw invalid('Invalid upload type.');
    }
  }

  #bucket({ path }: WireRequest): GcsBucket {
    return this.#store.bucket(decodeURIComponent(PATH.exec(path)?.[1] ?? ''));
  }

  #start(bucket: GcsBucket, caller: Caller, request: WireRequest): Answer {
    const sent = parseResource(request.body.toString());
    const start = arrival(request, sent, headerOf(request, 'x-upload-content-type'));
    this.#demandOverwrite(bucket, caller, start.name);
    demandForWrite(start.conditions, bucket.objects.get(start.name));
    const declared = headerOf(request, 'x-upload-content-length');
    const uploadId = this.#sessions.start({
      ...start,
      bucket: bucket.name,
      declaredBytes: declared === undefined ? undefined : Number(declared),
      commit: (whole) => this.#insert(bucket, caller, whole),
    });
    const query = new URLSearchParams({ uploadType: 'resumable', name: start.name, upload_id: uploadId });
    return answer(200, {
      location: `${this.#origin()}${request.path}?${query.toString()}`,
      'x-guploader-uploadid': uploadId,
    });
  }

  #insert(bucket: GcsBucket, caller: Caller, whole: Arrival): GcsObject {
    this.#demandOverwrite(bucket, caller, whole.name);
    return this.#store.insert(bucket, whole);
  }

  /** @see https://cloud.google.com/storage/docs/access-control/iam-json (objects.insert) */
  #demandOverwrite(bucket: GcsBucket, caller: Caller, name: string): void {
    if (bucket.objects.has(name)) demand(caller, 'storage.objects.delete');
  }

  #stored(bucket: GcsBucket, object: GcsObject): Answer {
    return jsonAnswer(200, objectResource(this.#origin(), bucket, object));
  }
}

function simple(request: WireRequest): Arrival {
  const sent: SentResource = { claims: {}, fields: {} };
  return { ...arrival(request, sent, headerOf(request, 'content-type')), bytes: request.body };
}

function multipart(request: WireRequest): Arrival {
  const { resource, media, mediaType } = relatedParts(headerOf(request, 'content-type'), request.body);
  return { ...arrival(request, parseResource(resource), mediaType), bytes: media };
}

/** What the request says of the object, but for its bytes. */
function arrival(request: WireRequest, sent: SentResource, contentType: string | undefined): Omit<Arrival, 'bytes'> {
  const name = request.query.get('name') ?? sent.name;
  if (name === undefined) throw new GcsError(400, 'required', 'Required parameter: name');
  return {
    name,
    metadata: patched({ contentType: contentType ?? 'application/octet-stream' }, sent),
    claims: { ...sent.claims, ...claimsOfHeader(headerOf(request, 'x-goog-hash')) },
    conditions: preconditionsOf(request.query),
  };
}
