import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';

/**
 * A port of 127.0.0.1 on which nobody listens now. Somebody may a moment later: be ready to try another one.
 *
 * @param wanted 0: any
 * @throws Error `EADDRINUSE` when it is not free
 */
export async function freePort(wanted = 0): Promise<number> {
  const server = createServer().listen(wanted, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** Whether a server did not start because somebody listens on its port already: in Node's words or in the system's. */
export const isPortTaken = (error: unknown): boolean => /EADDRINUSE|Address already in use/.test(String(error));
