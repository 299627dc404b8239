import { createServer, request, type Agent, type Server } from 'node:http';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { afterEach, expect, it } from '@jest/globals';
import { watchedAgent } from '../../src/plugin/index.ts';

const agents: Agent[] = [];
const servers: { close(): unknown }[] = [];

afterEach(() => {
  for (const agent of agents.splice(0)) agent.destroy();
  for (const server of servers.splice(0)) server.close();
});

function agentOf(idleMs: number): Agent {
  const agent = watchedAgent({
    tls: false,
    idleMs,
    stalled: (what) => new Error(`stalled: ${what}`),
    notConnected: (what) => new Error(`not connected: ${what}`),
  });
  agents.push(agent);
  return agent;
}

/** @param delayMs before each answer, in turn */
async function serverOf(...delayMs: number[]): Promise<Server> {
  const server = createServer((incoming, response) => {
    incoming.resume();
    setTimeout(() => {
      // as every server on Node says; the client lets go a second earlier
      response.setHeader('keep-alive', 'timeout=2').end(String(incoming.socket.remotePort));
    }, delayMs.shift()).unref();
  });
  servers.push(server.listen(0, '127.0.0.1'));
  await new Promise((resolve) => server.once('listening', resolve));
  return server;
}

function ask(agent: Agent, server: Server): Promise<string> {
  const { port } = server.address() as AddressInfo;
  return new Promise((resolve, reject) => {
    const asked = request({ agent, port, host: '127.0.0.1', method: 'PUT' }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      response.on('end', () => resolve(text)).on('error', reject);
    });
    asked.on('error', reject).end('a part');
  });
}

it('gives a request on a connection that was used before the whole time, whatever the server said of waiting ones', async () => {
  const agent = agentOf(10_000);
  const server = await serverOf(0, 1500);

  const first = await ask(agent, server);
  const second = await ask(agent, server);

  expect(second).toBe(first);
});

it('ends a connection on which nothing moves, also one that was used before', async () => {
  const agent = agentOf(200);
  const server = await serverOf(0, 60_000, 60_000);
  await ask(agent, server);

  await expect(ask(agent, server)).rejects.toThrow('stalled: nothing was sent or received for 200 ms');
  await expect(ask(agent, server)).rejects.toThrow('stalled');
  server.closeAllConnections();
});

it('says that nothing is there at once', async () => {
  const server = createTcpServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));

  await expect(ask(agentOf(1000), { address: () => address } as unknown as Server)).rejects.toThrow('ECONNREFUSED');
});
