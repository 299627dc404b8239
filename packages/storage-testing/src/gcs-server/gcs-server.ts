import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Caller } from './callers.ts';
import { GcsError, invalid } from './gcs-error.ts';
import { faultAnswer, type GcsFault, GcsFaults, type GcsMatcher } from './gcs-faults.ts';
import { IdentityApi } from './identity-api.ts';
import { JsonApi } from './json-api.ts';
import type { ObjectMetadata } from './object-metadata.ts';
import { type GcsBucketOptions, type GcsObject, ObjectStore } from './object-store.ts';
import { readBody } from './request-body.ts';
import { type GcsServiceAccountKey, type GcsServiceAccountOptions, ServiceAccounts } from './service-accounts.ts';
import { signerOf } from './signed-url.ts';
import { UploadApi } from './upload-api.ts';
import { type GcsSession, UploadSessions } from './upload-sessions.ts';
import { type Answer, decodedPath, type WireRequest } from './wire.ts';
import { XmlApi } from './xml-api.ts';

export interface GcsServerOptions {
  /** By name; buckets cannot be created through the API. */
  readonly buckets: Readonly<Record<string, GcsBucketOptions>>;
  /** Default 0: a free one. */
  readonly port?: number;
  /** Requests without credentials may do everything. Default false: they are refused with 401. */
  readonly anonymous?: boolean;
  /** By name, which is the part of the address before the `@`. Default: `{ default: {} }`, which may do everything. */
  readonly serviceAccounts?: Readonly<Record<string, GcsServiceAccountOptions>>;
  /** Life of the access tokens. Default 3600. */
  readonly tokenSeconds?: number;
  /** Workload identity federation: the service account that each subject token stands for. Default: none. */
  readonly subjectTokens?: Readonly<Record<string, string>>;
  /** The server's clock. Default: the machine's. */
  readonly now?: () => Date;
}

/** One request, as it came. */
export interface GcsRequest {
  readonly method: string;
  /** Decoded, without its query. */
  readonly path: string;
  /** Decoded; of a parameter that is there twice, the last. */
  readonly query: Readonly<Record<string, string>>;
  readonly headers: IncomingHttpHeaders;
  /** Of the body, as far as it was read. */
  readonly bytes: number;
  /** 0 when it was never answered. */
  readonly status: number;
}

export interface GcsServer {
  /** `http://127.0.0.1:<port>`: the SDK's `apiEndpoint`. */
  readonly endpoint: string;
  readonly port: number;
  /** Everything that was asked, in the order of the answers. */
  readonly requests: readonly GcsRequest[];
  /** @param name default: the first one, which is also the account of the metadata server */
  serviceAccount(name?: string): GcsServiceAccountKey;
  /** A valid token of that account, for clients that are to have no key. */
  accessToken(name?: string): string;
  /** The next requests that match go wrong, one after the other. */
  fail(matcher: GcsMatcher, faults: readonly GcsFault[]): void;
  /** Faults that no request has met yet: a test that expects them all ends with 0. */
  pendingFaults(): number;
  /** Everything that is physically in a bucket. */
  objects(bucket: string): readonly GcsObject[];
  /** Upload sessions that are neither finished nor cancelled. */
  sessions(): readonly GcsSession[];
  /** Lays an object in, past the API. */
  put(bucket: string, name: string, bytes: Uint8Array, metadata?: ObjectMetadata): void;
  /** Flips a bit of the stored bytes; the checksums stay. */
  corrupt(bucket: string, name: string): void;
  /** Closes the port and every connection. */
  close(): Promise<void>;
}

/**
 * Starts a Google Cloud Storage of its own on 127.0.0.1: a test double, written from the public documentation of the JSON
 * API, of signed URLs and of Google's identity services, for what the emulator of firebase-tools lacks. It shows that a client says what the documentation asks for, and
 * what it does with the answers; whether Google answers the same is for a test against Google to show.
 *
 * Everything is held in memory, bodies too. What it does not do is answered with 501.
 */
export async function startGcsServer(options: GcsServerOptions): Promise<GcsServer> {
  const now = options.now ?? ((): Date => new Date());
  const store = new ObjectStore(options.buckets, now);
  const sessions = new UploadSessions(now);
  const faults = new GcsFaults();
  const requests: GcsRequest[] = [];
  let endpoint = '';
  const json = new JsonApi(() => endpoint, store);
  const uploads = new UploadApi(() => endpoint, store, sessions);
  const xml = new XmlApi(store);
  const accounts = new ServiceAccounts(
    options.serviceAccounts ?? { default: {} },
    () => endpoint,
    now,
    options.tokenSeconds ?? 3600,
  );
  const identity = new IdentityApi(() => endpoint, accounts, options.subjectTokens ?? {}, now);

  function authorized({ headers }: WireRequest): Caller {
    if (headers.authorization !== undefined) return accounts.callerOf(headers.authorization);
    return { may: () => options.anonymous === true };
  }

  function handle(request: WireRequest): Answer {
    try {
      const identified = identity.handle(request);
      if (identified) return identified;
      if (uploads.isSession(request)) return uploads.handleSession(request);
      if (request.path.startsWith('/upload/')) return uploads.handle(request, authorized(request));
      if (/^(\/download)?\/storage\/v1\//.test(request.path)) return json.handle(request, authorized(request));
      return xml.handle(request, () => signerOf(request, accounts, now()) ?? authorized(request));
    } catch (error) {
      if (error instanceof GcsError) return error.toAnswer();
      if (error instanceof URIError) return invalid('Malformed percent-encoding.').toAnswer();
      throw error;
    }
  }

  async function serve(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const head = headOf(incoming);
    const log = (bytes: number, status: number): void => {
      requests.push({
        method: head.method,
        path: decodedPath(head.path),
        query: Object.fromEntries(head.query),
        headers: head.headers,
        bytes,
        status,
      });
    };
    const fault = faults.next(head);
    const breakOff = (bytes: number): void => {
      log(bytes, 0);
      incoming.socket.resetAndDestroy();
    };
    if (fault === 'reset') return breakOff(0);
    const limitBytes = typeof fault === 'object' && 'resetAfterBytes' in fault ? fault.resetAfterBytes : Infinity;
    const request = { ...head, ...(await readBody(incoming, limitBytes)) };
    const bytes = request.body.byteLength;
    if (request.cut) {
      // only a session keeps a part
      if (uploads.isSession(request)) handle(request);
      return breakOff(bytes);
    }
    if (fault === 'stall') return log(bytes, 0);
    const answer = faultAnswer(fault) ?? handle(request);
    if (fault === 'lose-answer') return breakOff(bytes);
    log(bytes, answer.status);
    send(response, answer, fault === 'cut');
  }

  const server = createServer((incoming, response) => {
    serve(incoming, response).catch((error: unknown) => {
      // a defect of this double: said where the test that met it looks
      response.writeHead(500, { 'content-type': 'text/plain' }).end(String(error));
    });
  });
  await new Promise<void>((listening, failed) => {
    server.once('error', failed).listen(options.port ?? 0, '127.0.0.1', listening);
  });
  const { port } = server.address() as AddressInfo;
  endpoint = `http://127.0.0.1:${port}`;

  return {
    endpoint,
    port,
    requests,
    serviceAccount: (name = accounts.first) => accounts.key(name),
    accessToken: (name = accounts.first) => accounts.issueToken(name).access_token,
    fail: (matcher, next) => faults.add(matcher, next),
    pendingFaults: () => faults.pending,
    objects: (bucket) => [...store.bucket(bucket).objects.values()],
    sessions: () => sessions.open(),
    put: (bucket, name, bytes, metadata = {}) => {
      store.insert(store.bucket(bucket), { name, bytes, metadata, claims: {}, conditions: {} });
    },
    corrupt: (bucketName, name) => {
      const bucket = store.bucket(bucketName);
      const object = store.object(bucket, name);
      const bytes = Buffer.from(object.bytes);
      const last = bytes.byteLength - 1;
      bytes[last] = (bytes[last] ?? 0) ^ 1;
      store.replaceBytes(bucket, object, bytes);
    },
    close: () =>
      new Promise((closed) => {
        server.close(() => closed());
        server.closeAllConnections();
      }),
  };
}

function headOf({ method = '', url = '/', headers }: IncomingMessage): Omit<WireRequest, 'body' | 'cut'> {
  const [path = '', ...search] = url.split('?');
  return { method, path, search: search.join('?'), query: new URLSearchParams(search.join('?')), headers };
}

function send(response: ServerResponse, { status, headers, body }: Answer, cut: boolean): void {
  const bodiless = status === 204 || status === 304;
  response.writeHead(status, { ...(bodiless ? {} : { 'content-length': body.byteLength }), ...headers });
  if (cut) {
    response.write(body.subarray(0, body.byteLength / 2), () => response.destroy());
  } else {
    // Node itself leaves out the body for HEAD
    response.end(body);
  }
}
