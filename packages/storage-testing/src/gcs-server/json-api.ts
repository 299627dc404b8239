import { type Caller, demand } from './callers.ts';
import { GcsError } from './gcs-error.ts';
import { mediaAnswer } from './media-answer.ts';
import { parseResource, patched } from './object-metadata.ts';
import { listingPage } from './object-listing.ts';
import type { GcsBucket, ObjectStore } from './object-store.ts';
import { demandForRead, demandForWrite, preconditionsOf } from './preconditions.ts';
import { bucketResource, etagOf, objectResource } from './resources.ts';
import { answer, type Answer, headerOf, jsonAnswer, type WireRequest } from './wire.ts';

/** Everything of the JSON API but uploads; says who may what. */
export class JsonApi {
  readonly #origin: () => string;
  readonly #store: ObjectStore;

  constructor(origin: () => string, store: ObjectStore) {
    this.#origin = origin;
    this.#store = store;
  }

  /** @throws GcsError */
  handle(request: WireRequest, caller: Caller): Answer {
    const [, bucketName, rest = '', objectName] =
      /^(?:\/download)?\/storage\/v1\/b\/([^/]+)(\/o|\/iam\/testPermissions)?(?:\/([^/]+))?$/.exec(request.path) ?? [];
    if (bucketName === undefined) throw notImplemented(request);
    const bucket = this.#store.bucket(decodeURIComponent(bucketName));
    switch (`${request.method} ${rest}${objectName === undefined ? '' : '/name'}`) {
      case 'GET ':
        demand(caller, 'storage.buckets.get');
        return jsonAnswer(200, bucketResource(bucket));
      case 'GET /iam/testPermissions':
        return this.#testPermissions(request, caller);
      case 'GET /o':
        demand(caller, 'storage.objects.list');
        return this.#list(bucket, request);
      case 'GET /o/name':
        return this.#get(bucket, decodeURIComponent(objectName ?? ''), request, caller);
      case 'PATCH /o/name':
        return this.#patch(bucket, decodeURIComponent(objectName ?? ''), request, caller);
      case 'DELETE /o/name':
        return this.#delete(bucket, decodeURIComponent(objectName ?? ''), request, caller);
      default:
        throw notImplemented(request);
    }
  }

  #testPermissions({ query }: WireRequest, caller: Caller): Answer {
    const permissions = query.getAll('permissions').filter((permission) => caller.may(permission));
    return jsonAnswer(200, {
      kind: 'storage#testIamPermissionsResponse',
      ...(permissions.length > 0 ? { permissions } : {}),
    });
  }

  #list(bucket: GcsBucket, { query }: WireRequest): Answer {
    const { objects, prefixes, nextPageToken } = listingPage(bucket, query);
    const items = objects.map((object) => objectResource(this.#origin(), bucket, object));
    return jsonAnswer(200, {
      kind: 'storage#objects',
      ...(nextPageToken === undefined ? {} : { nextPageToken }),
      ...(prefixes.length > 0 ? { prefixes } : {}),
      ...(items.length > 0 ? { items } : {}),
    });
  }

  #get(bucket: GcsBucket, name: string, request: WireRequest, caller: Caller): Answer {
    const media = request.query.get('alt') === 'media';
    try {
      demand(caller, 'storage.objects.get');
      const object = this.#store.object(bucket, name, generationOf(request));
      demandForRead(preconditionsOf(request.query), object);
      if (!media) return jsonAnswer(200, objectResource(this.#origin(), bucket, object), { etag: etagOf(object) });
      return mediaAnswer(bucket, object, headerOf(request, 'range'), {
        'cache-control': 'no-cache, no-store, max-age=0, must-revalidate',
        'content-disposition': 'attachment',
        etag: etagOf(object),
        'x-goog-hash': `crc32c=${object.crc32c},md5=${object.md5Hash}`,
      });
    } catch (error) {
      if (media && error instanceof GcsError) return error.toText('text/html');
      throw error;
    }
  }

  #patch(bucket: GcsBucket, name: string, request: WireRequest, caller: Caller): Answer {
    demand(caller, 'storage.objects.update');
    const object = this.#store.object(bucket, name, generationOf(request));
    demandForWrite(preconditionsOf(request.query), object);
    const metadata = patched(object.metadata, parseResource(request.body.toString()));
    return jsonAnswer(200, objectResource(this.#origin(), bucket, this.#store.update(bucket, object, metadata)));
  }

  #delete(bucket: GcsBucket, name: string, request: WireRequest, caller: Caller): Answer {
    demand(caller, 'storage.objects.delete');
    const object = this.#store.object(bucket, name, generationOf(request));
    demandForWrite(preconditionsOf(request.query), object);
    bucket.objects.delete(name);
    return answer(204);
  }
}

const generationOf = ({ query }: WireRequest): number | undefined => {
  const generation = query.get('generation');
  return generation === null ? undefined : Number(generation);
};

export const notImplemented = ({ method, path }: Pick<WireRequest, 'method' | 'path'>): GcsError =>
  new GcsError(501, 'notImplemented', `This test double does not do ${method} ${path}.`);
