import { type Caller, demand } from './callers.ts';
import { claimsOfHeader } from './checksum-claims.ts';
import { corsHeaders, preflight } from './cors.ts';
import { GcsError } from './gcs-error.ts';
import { mediaAnswer } from './media-answer.ts';
import type { GcsBucket, ObjectStore } from './object-store.ts';
import { answer, type Answer, headerOf, type WireRequest } from './wire.ts';
import { XmlError, xmlErrorOf } from './xml-error.ts';

/** `/bucket/object`: where signed URLs lead. GET, HEAD, PUT and the preflight of browsers. */
export class XmlApi {
  readonly #store: ObjectStore;

  constructor(store: ObjectStore) {
    this.#store = store;
  }

  /** @param callerOf who asks; throws an XmlError or a GcsError for one who may not ask at all */
  handle(request: WireRequest, callerOf: () => Caller): Answer {
    const [, bucketName = '', name = ''] = /^\/([^/]+)\/(.+)$/.exec(decodeURIComponent(request.path)) ?? [];
    return refusing(() => {
      const bucket = this.#store.bucket(bucketName);
      if (request.method === 'OPTIONS') return preflight(bucket, request);
      // a page may read a refusal, too
      const { status, headers, body } = refusing(() => this.#object(bucket, name, request, callerOf()));
      return { status, headers: { ...headers, ...corsHeaders(bucket, request) }, body };
    });
  }

  #object(bucket: GcsBucket, name: string, request: WireRequest, caller: Caller): Answer {
    switch (request.method) {
      case 'GET':
      case 'HEAD':
        demand(caller, 'storage.objects.get');
        return this.#get(bucket, name, request);
      case 'PUT':
        demand(caller, 'storage.objects.create');
        if (bucket.objects.has(name)) demand(caller, 'storage.objects.delete');
        return this.#put(bucket, name, request);
      default:
        throw new XmlError(501, 'NotImplemented', `This test double does not do ${request.method} here.`);
    }
  }

  #get(bucket: GcsBucket, name: string, request: WireRequest): Answer {
    const object = this.#store.object(bucket, name);
    const overrides = ['content-type', 'content-disposition'].flatMap((header) => {
      const value = request.query.get(`response-${header}`);
      return value === null ? [] : [[header, value] as const];
    });
    return mediaAnswer(bucket, object, headerOf(request, 'range'), {
      ...(object.metadata.cacheControl === undefined ? { 'cache-control': 'private, max-age=0' } : {}),
      etag: `"${Buffer.from(object.md5Hash, 'base64').toString('hex')}"`,
      'x-goog-hash': [`crc32c=${object.crc32c}`, `md5=${object.md5Hash}`],
      ...Object.fromEntries(overrides),
    });
  }

  #put(bucket: GcsBucket, name: string, request: WireRequest): Answer {
    const { 'content-type': contentType, 'cache-control': cacheControl } = request.headers;
    const contentMd5 = headerOf(request, 'content-md5');
    const generation = headerOf(request, 'x-goog-if-generation-match');
    const pairs = Object.keys(request.headers).flatMap((header) =>
      header.startsWith('x-goog-meta-')
        ? [[header.slice('x-goog-meta-'.length), headerOf(request, header) ?? ''] as const]
        : [],
    );
    const object = this.#store.insert(bucket, {
      name,
      bytes: request.body,
      metadata: {
        contentType: contentType ?? 'application/octet-stream',
        ...(cacheControl === undefined ? {} : { cacheControl }),
        ...(pairs.length > 0 ? { metadata: Object.fromEntries(pairs) } : {}),
      },
      claims: {
        ...(contentMd5 === undefined ? {} : { md5Hash: contentMd5 }),
        ...claimsOfHeader(headerOf(request, 'x-goog-hash')),
      },
      conditions: generation === undefined ? {} : { ifGenerationMatch: Number(generation) },
    });
    return answer(200, {
      etag: `"${Buffer.from(object.md5Hash, 'base64').toString('hex')}"`,
      'x-goog-generation': String(object.generation),
      'x-goog-metageneration': '1',
      'x-goog-hash': [`crc32c=${object.crc32c}`, `md5=${object.md5Hash}`],
      'x-goog-stored-content-length': String(object.bytes.byteLength),
    });
  }
}

function refusing(run: () => Answer): Answer {
  try {
    return run();
  } catch (error) {
    if (error instanceof XmlError) return error.toAnswer();
    if (error instanceof GcsError) return xmlErrorOf(error).toAnswer();
    throw error;
  }
}
