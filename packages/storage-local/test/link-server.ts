import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach } from '@jest/globals';
import { LocalStorage } from '../src/index.ts';

export const KEY = 'a secret of more than 32 characters';

const servers: Server[] = [];

afterEach(async () => {
  await Promise.all(servers.splice(0).map(closed));
});

/** A store with links, and the server that answers them. What the store complains of goes to `log`. */
export async function storeWithLinks(
  root: string,
  id = 'disk',
): Promise<{ store: LocalStorage; server: Server; baseUrl: string; log: unknown[] }> {
  const log: unknown[] = [];
  const server = createServer((request, response) => {
    const link = (request.url ?? '').slice('/objects/'.length);
    store.serveLink(request, response, link).catch((error: unknown) => log.push(error));
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/objects`;
  const store = new LocalStorage(id, { root, links: { baseUrl, key: KEY } });
  return { store, server, baseUrl, log };
}

async function closed(server: Server): Promise<void> {
  await new Promise((resolve) => {
    server.close(resolve);
    server.closeAllConnections();
  });
}
