import { describe, expect, it } from '@jest/globals';
import { ByteWindow, type Cursor } from '../src/byte-window.ts';

const KiB = 1024;

async function readAll(cursor: Cursor): Promise<Buffer> {
  const parts: Buffer[] = [];
  for (let chunk = await cursor.next(); chunk; chunk = await cursor.next()) parts.push(Buffer.from(chunk));
  return Buffer.concat(parts);
}

async function write(window: ByteWindow, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.byteLength;) {
    at += window.write(bytes.subarray(at));
    if (at < bytes.byteLength) await window.room();
  }
}

/** Bytes that tell their position. */
const counted = (size: number): Buffer =>
  Buffer.from(Array.from({ length: size }, (_, at) => (at * 31 + (at >> 8)) & 255));

describe('ByteWindow', () => {
  it('gives every cursor every byte, though the ring goes round many times', async () => {
    const window = new ByteWindow(64 * KiB);
    const cursors = [window.attach(), window.attach(), window.attach()];
    const bytes = counted(1000 * KiB + 17);

    const reading = Promise.all(cursors.map(readAll));
    for (let at = 0, step = 1; at < bytes.byteLength; at += step, step = (step * 7 + 13) % 90_000) {
      await write(window, bytes.subarray(at, at + step));
    }
    window.end();

    for (const read of await reading) expect(read.equals(bytes)).toBe(true);
  });

  it('takes no more than fits until the slowest cursor asks for the next chunk', async () => {
    const window = new ByteWindow(64 * KiB);
    const [slow, fast] = [window.attach(), window.attach()];
    expect(window.write(Buffer.alloc(100 * KiB))).toBe(64 * KiB);
    await fast.next();
    await slow.next();
    void fast.next();

    let hasRoom = false;
    const room = window.room().then(() => (hasRoom = true));
    await Promise.resolve();
    expect({ hasRoom, full: window.full, taken: window.write(Buffer.alloc(1)) }).toEqual({
      hasRoom: false,
      full: true,
      taken: 0,
    });

    void slow.next();
    await room;
    expect(window.write(Buffer.alloc(100 * KiB))).toBe(64 * KiB);
  });

  it('does not touch a chunk before all have asked for the next one', async () => {
    const window = new ByteWindow(64 * KiB);
    const cursor = window.attach();
    window.write(Buffer.alloc(64 * KiB, 'a'));
    const chunk = await cursor.next();

    window.write(Buffer.alloc(64 * KiB, 'b'));

    expect(chunk?.every((byte) => byte === 97)).toBe(true);
  });

  it('keeps the last announced byte until the end is said', async () => {
    const window = new ByteWindow(64 * KiB, 10);
    const cursor = window.attach();
    window.write(counted(10));

    const first = Buffer.from((await cursor.next()) ?? []);
    const second = cursor.next();
    expect(first.equals(counted(10).subarray(0, 9))).toBe(true);
    expect(cursor.waiting).toBe(true);

    window.end();
    expect(Buffer.from((await second) ?? []).equals(counted(10).subarray(9))).toBe(true);
    expect(await cursor.next()).toBeUndefined();
  });

  it('waits for nobody once the only slow cursor is closed, and tells it why', async () => {
    const window = new ByteWindow(64 * KiB);
    const cursor = window.attach();
    window.write(Buffer.alloc(64 * KiB));
    const room = window.room();

    cursor.close(new Error('too slow'));

    await room;
    expect(window.write(Buffer.alloc(500 * KiB))).toBe(500 * KiB);
    await expect(cursor.next()).rejects.toThrow('too slow');
  });

  it('rejects a cursor that waits when it is closed', async () => {
    const window = new ByteWindow(64 * KiB);
    const cursor = window.attach();

    const next = cursor.next();
    cursor.close(new Error('aborted'));

    await expect(next).rejects.toThrow('aborted');
  });
});
