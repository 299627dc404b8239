import { afterEach, it } from '@jest/globals';
import { startFaultProxy, startSourceServer, type FaultProxy, type SourceServer } from '../src/index.ts';

const SIZE = 300_000;
let server: SourceServer;
let proxy: FaultProxy;

afterEach(async () => {
  await proxy.close();
  await server.close();
});

async function setUp(): Promise<void> {
  server = await startSourceServer({ files: { '/film.mp4': { size: SIZE, seed: 7 } } });
  proxy = await startFaultProxy({ host: '127.0.0.1', port: server.port });
}

/** Reads until the end or the first error, on a connection of its own. */
async function read(signal?: AbortSignal): Promise<{ bytes: number; error?: string }> {
  let bytes = 0;
  try {
    const response = await fetch(proxy.url('/film.mp4'), {
      headers: { connection: 'close' },
      ...(signal ? { signal } : {}),
    });
    for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) bytes += chunk.byteLength;
    return { bytes };
  } catch (error) {
    const { message, cause } = error as Error & { cause?: { code?: string } };
    return { bytes, error: cause?.code ?? message };
  }
}

it('x', async () => {
  await setUp();
  console.log(await read());
  proxy.inject({ cutAfterBytes: 1000 }, 1);
  console.log(await read());
  proxy.inject({ resetAfterBytes: 100_000 }, 1);
  console.log(await read());
  proxy.inject({ stallAfterBytes: 100_000 }, 1);
  console.log(await read(AbortSignal.timeout(300)));
  proxy.inject({ down: true }, 1);
  console.log(await read());
  proxy.inject({ cutAfterBytes: 0 }, 1);
  console.log(await read());
  let t = Date.now();
  proxy.inject({ latencyMs: 200 }, 1);
  console.log(await read(), Date.now() - t);
  t = Date.now();
  proxy.inject({ bytesPerSecond: 1_000_000 }, 1);
  console.log(await read(), Date.now() - t);
  t = Date.now();
  proxy.inject({ dripBytes: 100_000 }, 1);
  console.log(await read(), Date.now() - t);
  t = Date.now();
  console.log(await read(), Date.now() - t, proxy.faulted, proxy.connections, proxy.bytesPassed);
});
