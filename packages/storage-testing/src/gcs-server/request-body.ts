import type { IncomingMessage } from 'node:http';

/**
 * Reads the body until it ends, the connection breaks, or the limit is reached.
 * @returns `cut`: not all of it
 */
export function readBody(request: IncomingMessage, limitBytes: number): Promise<{ body: Buffer; cut: boolean }> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const finish = (cut: boolean): void => {
      request.off('data', take);
      resolve({ body: Buffer.concat(chunks.splice(0)), cut });
    };
    const take = (chunk: Buffer): void => {
      chunks.push(chunk.subarray(0, limitBytes - bytes));
      bytes += chunk.byteLength;
      if (bytes >= limitBytes) finish(true);
    };
    request.on('data', take);
    request.once('end', () => finish(false));
    request.once('error', () => finish(true));
  });
}
