import { S3Client } from '@aws-sdk/client-s3';
import { NodeHttpHandler, type NodeHttpHandlerOptions } from '@smithy/node-http-handler';
import { noteLostAnswers } from './lost-answers.ts';
import { credentialsOf } from './s3-credentials.ts';
import { askForChecksum, endStalledErrors, leavePayloadUnsigned } from './s3-middleware.ts';
import type { S3Settings } from './s3-options.ts';

const CONNECT_MS = 10_000;
const MAX_SOCKETS = 256;

/**
 * Three clients, because each has sockets of its own: a hundred transfers keep no `head` waiting. They share their
 * credentials, which are asked for once.
 */
export interface S3Clients {
  /** Ends all connections, also those in use. What was under way is not tried again. */
  close(): void;
  /** Everything without the bytes of an object. */
  readonly control: S3Client;
  readonly upload: S3Client;
  readonly download: S3Client;
}

export function makeClients(settings: S3Settings): S3Clients {
  const { idleTimeoutMs } = settings;
  const life = { closed: false };
  const control = makeClient(settings, life, { socketTimeout: idleTimeoutMs }, credentialsOf(settings));
  const shared = control.config.credentials;
  const upload = makeClient(settings, life, { socketTimeout: idleTimeoutMs }, shared);
  // no idle limit on the socket: a viewer who pauses is no stalled server. The answer must begin in time; its body is
  // watched while somebody waits for a byte
  const download = makeClient(
    settings,
    life,
    { socketTimeout: 0, requestTimeout: idleTimeoutMs, throwOnRequestTimeout: true },
    shared,
  );
  leavePayloadUnsigned(upload);
  endStalledErrors(download, idleTimeoutMs);
  if (settings.requestChecksumCalculation === 'WHEN_SUPPORTED') askForChecksum(download);
  const close = (): void => {
    life.closed = true;
    for (const client of [control, upload, download]) client.destroy();
  };
  return { close, control, upload, download };
}

function makeClient(
  settings: S3Settings,
  life: { readonly closed: boolean },
  timeouts: NodeHttpHandlerOptions,
  credentials: S3Settings['credentials'],
): S3Client {
  const agent = { keepAlive: true, maxSockets: MAX_SOCKETS };
  const client = new S3Client({
    region: settings.region,
    forcePathStyle: settings.forcePathStyle,
    // what the option says is done here: left to itself the SDK would also add the checksum of nothing to every GET and link
    requestChecksumCalculation: 'WHEN_REQUIRED',
    // what is read is verified by whoever reads it; a range has no checksum that a server could send
    responseChecksumValidation: 'WHEN_REQUIRED',
    // the SDK gives every request that expects 100-continue a connection of its own, so each part would begin with a
    // TLS handshake; a part that is refused costs one buffer's bytes at most
    expectContinueHeader: false,
    // together under two seconds when requests fail fast: the job engine is the only long loop
    maxAttempts: 3,
    retryMode: 'standard',
    requestHandler: new NodeHttpHandler({
      connectionTimeout: CONNECT_MS,
      httpAgent: agent,
      httpsAgent: agent,
      ...timeouts,
    }),
    ...(settings.endpoint === undefined ? {} : { endpoint: settings.endpoint }),
    ...(credentials === undefined ? {} : { credentials }),
  });
  limitRetries(client, life);
  noteLostAnswers(client);
  return client;
}

/**
 * A server that says how long to wait is not asked again at once: whoever planned the call waits, and holds no buffer. And
 * a request whose connection `close` has cut would open a new one.
 */
function limitRetries(client: S3Client, life: { readonly closed: boolean }): void {
  const standard = client.config.retryStrategy;
  client.config.retryStrategy = async () => {
    const strategy = await standard();
    if (!('refreshRetryTokenForRetry' in strategy)) return strategy;
    return {
      acquireInitialRetryToken: (scope) => strategy.acquireInitialRetryToken(scope),
      refreshRetryTokenForRetry: (token, info) => {
        if (info.retryAfterHint) throw new Error('The server says how long to wait.');
        if (life.closed) throw new Error('The store is closed.');
        return strategy.refreshRetryTokenForRetry(token, info);
      },
      recordSuccess: (token) => strategy.recordSuccess(token),
    };
  };
}
