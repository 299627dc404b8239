import { expect, it } from '@jest/globals';
import { startSourceServer } from '../src/index.ts';

it('serves bytes and generated videos, ranges included', async () => {
  const server = await startSourceServer({
    files: { '/a b.mp4': Buffer.from('hello world'), '/g.mp4': { size: 1_000_003, seed: 1 } },
  });
  try {
    const part = await fetch(server.url('/a b.mp4'), { headers: { range: 'bytes=2-3' } });
    expect(await part.text()).toBe('ll');
    expect(part.headers.get('x-goog-hash')).toBe('md5=XrY7u+Ae7tCTyyK7j1rNww==, crc32c=yZRlqg==');
    const whole = Buffer.from(await (await fetch(server.url('/g.mp4'))).arrayBuffer());
    const tail = await fetch(server.url('/g.mp4'), { headers: { range: 'bytes=77777-' } });
    expect(Buffer.from(await tail.arrayBuffer()).equals(whole.subarray(77777))).toBe(true);
  } finally {
    await server.close();
  }
});
