import { Readable } from 'node:stream';
import type { S3Client } from '@aws-sdk/client-s3';

/**
 * Over TLS the signature leaves the bytes out: the checksum that goes with them is signed, and the SDK would hash every
 * buffer once more with SHA-256. Over plain HTTP it stays in.
 */
export function leavePayloadUnsigned(client: S3Client): void {
  client.middlewareStack.add(
    (next) => (args) => {
      const request = args.request as { protocol?: string; body?: unknown; headers: Record<string, string> };
      if (request.protocol === 'https:' && request.body instanceof Uint8Array) {
        request.headers['x-amz-content-sha256'] = 'UNSIGNED-PAYLOAD';
      }
      return next(args);
    },
    { step: 'build', name: 'leavePayloadUnsigned' },
  );
}

/** As a header, and not as `ChecksumMode`: with that the SDK hashes the body in JavaScript, a second for each 150 MB. */
export function askForChecksum(download: S3Client): void {
  download.middlewareStack.add(
    (next) => (args) => {
      const { headers } = args.request as { headers: Record<string, string> };
      // the checksum is that of the whole object, which a range is not
      if (headers['range'] === undefined) headers['x-amz-checksum-mode'] = 'ENABLED';
      return next(args);
    },
    { step: 'build', name: 'askForChecksum' },
  );
}

/** The SDK reads refusals whole before it throws, and this client's sockets have no limit of their own. */
export function endStalledErrors(download: S3Client, idleMs: number): void {
  download.middlewareStack.add(
    (next) => async (args) => {
      const result = await next(args);
      const { statusCode, body } = result.response as { statusCode: number; body?: unknown };
      if (statusCode >= 300 && body instanceof Readable) {
        const stalled = setTimeout(() => {
          body.destroy(Object.assign(new Error('The answer has stopped in its middle.'), { name: 'TimeoutError' }));
        }, idleMs);
        body.once('close', () => clearTimeout(stalled));
      }
      return result;
    },
    { step: 'deserialize', priority: 'low', name: 'endStalledErrors' },
  );
}
