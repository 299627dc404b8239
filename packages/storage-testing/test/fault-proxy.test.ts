import { createServer, connect, type AddressInfo, type Server } from 'node:net';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { type FaultProxy, startFaultProxy } from '../src/index.ts';

const ANSWER = Buffer.alloc(300_000, 'answer ');
let target: Server;
/** What the target was sent. */
let asked: string[];
let proxy: FaultProxy;

beforeEach(async () => {
  asked = [];
  target = createServer((socket) => {
    socket.on('error', () => socket.destroy());
    socket.on('data', (data) => {
      asked.push(data.toString());
      socket.end(ANSWER);
    });
  });
  await new Promise<void>((listening) => target.listen(0, '127.0.0.1', listening));
  proxy = await startFaultProxy({ host: '127.0.0.1', port: (target.address() as AddressInfo).port });
});

afterEach(async () => {
  await proxy.close();
  await new Promise((closed) => target.close(closed));
});

interface Reading {
  bytes: Buffer;
  /** 'end' after FIN, 'silence' when nothing came for a while, or the code of the error. */
  end: string;
  ms: number;
}

/** One connection: asks and reads to the end, whatever kind of end it is. */
function ask(silenceMs = 10_000, question: Buffer | string = 'please', through = proxy): Promise<Reading> {
  const began = performance.now();
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    const socket = connect(through.port, through.host, () => socket.write(question));
    const finish = (end: string): void => {
      socket.destroy();
      resolve({ bytes: Buffer.concat(chunks), end, ms: performance.now() - began });
    };
    socket.setTimeout(silenceMs, () => finish('silence'));
    socket.on('data', (chunk) => chunks.push(chunk));
    socket.on('end', () => finish('end'));
    socket.on('error', (error: NodeJS.ErrnoException) => finish(error.code ?? ''));
  });
}

it('passes everything on when nothing is injected', async () => {
  const { bytes, end } = await ask();

  expect(bytes.equals(ANSWER)).toBe(true);
  expect(end).toBe('end');
  expect(proxy).toMatchObject({ connections: 1, faulted: 0, bytesPassed: ANSWER.byteLength });
});

it('closes the connection after exactly so many bytes', async () => {
  proxy.inject({ cutAfterBytes: 100_001 }, 1);

  const { bytes, end } = await ask();

  expect(bytes.equals(ANSWER.subarray(0, 100_001))).toBe(true);
  expect(end).toBe('end');
  expect(proxy.faulted).toBe(1);
});

it('lets the target work and loses its answer when it cuts after 0 bytes', async () => {
  proxy.inject({ cutAfterBytes: 0 }, 1);

  const { bytes, end } = await ask();

  expect(asked).toEqual(['please']);
  expect(bytes).toHaveLength(0);
  expect(end).toBe('end');
});

it('resets the connection after exactly so many bytes', async () => {
  proxy.inject({ resetAfterBytes: 100_001 }, 1);

  const { bytes, end } = await ask();

  expect(bytes).toHaveLength(100_001);
  expect(end).toBe('ECONNRESET');
});

it('falls silent after exactly so many bytes and keeps the connection open', async () => {
  proxy.inject({ stallAfterBytes: 100_001 }, 1);

  const { bytes, end } = await ask(200);

  expect(bytes).toHaveLength(100_001);
  expect(end).toBe('silence');
});

it('answers late', async () => {
  proxy.inject({ latencyMs: 150 }, 1);

  const { bytes, ms } = await ask();

  expect(bytes).toHaveLength(ANSWER.byteLength);
  expect(ms).toBeGreaterThanOrEqual(145);
});

it('keeps to a bandwidth', async () => {
  proxy.inject({ bytesPerSecond: 1_000_000 }, 1);

  const { bytes, ms } = await ask();

  expect(bytes.equals(ANSWER)).toBe(true);
  // the last piece is followed by a pause, too: 6 pieces of 50 ms
  expect(ms).toBeGreaterThanOrEqual(240);
});

it('keeps to another bandwidth for what the client sends', async () => {
  const sent = Buffer.alloc(300_000, 'question ');
  let received = 0;
  const reader = createServer((socket) => {
    socket.on('data', (data) => {
      received += data.byteLength;
      if (received === sent.byteLength) socket.end(ANSWER);
    });
  });
  await new Promise<void>((listening) => reader.listen(0, '127.0.0.1', listening));
  const slow = await startFaultProxy({ host: '127.0.0.1', port: (reader.address() as AddressInfo).port });
  slow.inject({ upBytesPerSecond: 1_000_000 });

  const { bytes, end, ms } = await ask(10_000, sent, slow);

  expect(received).toBe(sent.byteLength);
  expect(ms).toBeGreaterThanOrEqual(240);
  expect([bytes.equals(ANSWER), end]).toEqual([true, 'end']);
  expect(slow.faulted).toBe(1);
  await slow.close();
  await new Promise((closed) => reader.close(closed));
});

/** Waits until the proxy has passed so many bytes on. */
async function passed(bytes: number): Promise<void> {
  while (proxy.bytesPassed < bytes) await new Promise((later) => setTimeout(later, 5));
}

it('drips', async () => {
  proxy.inject({ dripBytes: 10 }, 1);
  const reading = ask();

  await passed(30);
  proxy.cutAll();

  const { ms, bytes } = await reading;
  expect(ms).toBeGreaterThanOrEqual(195);
  expect(bytes.byteLength).toBeLessThan(ANSWER.byteLength);
});

it('is down for new connections and for open ones, until it is healed', async () => {
  proxy.inject({ stallAfterBytes: 10 }, 1);
  const open = ask();
  await passed(10);

  proxy.inject({ down: true });

  expect((await open).end).toBe('ECONNRESET');
  expect((await ask()).end).toBe('ECONNRESET');
  expect((await ask()).end).toBe('ECONNRESET');
  expect(asked).toHaveLength(1);
  proxy.heal();
  expect((await ask()).bytes).toHaveLength(ANSWER.byteLength);
});

it('breaks the next connections in the order of injection, and no more than asked for', async () => {
  proxy.inject({ cutAfterBytes: 5 }, 2);
  proxy.inject({ cutAfterBytes: 7 }, 1);

  const lengths: number[] = [];
  for (let connection = 0; connection < 4; connection += 1) lengths.push((await ask()).bytes.byteLength);

  expect(lengths).toEqual([5, 5, 7, ANSWER.byteLength]);
  expect(proxy).toMatchObject({ connections: 4, faulted: 3 });
});

it('resets the client when the target is not there', async () => {
  const { port } = target.address() as AddressInfo;
  await new Promise((closed) => target.close(closed));
  await proxy.close();
  proxy = await startFaultProxy({ host: '127.0.0.1', port });

  expect((await ask()).end).toBe('ECONNRESET');

  target = createServer();
  await new Promise<void>((listening) => target.listen(0, '127.0.0.1', listening));
});

it('gives the URL under which the target is reached through it', async () => {
  expect(proxy.url('/a?b=c')).toBe(`http://127.0.0.1:${proxy.port}/a?b=c`);
  const secure = await startFaultProxy({ host: '127.0.0.1', port: 1, scheme: 'https' });
  expect(secure.url('/')).toBe(`https://127.0.0.1:${secure.port}/`);
  await secure.close();
});
