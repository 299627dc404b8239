import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { describe, expect, it } from '@jest/globals';
import { translatedBody } from '../src/translated-body.ts';

const asIs = (error: unknown): Error => error as Error;
const turn = () => new Promise((resolve) => setTimeout(resolve, 20));

describe('a translated body', () => {
  it('has the same bytes', async () => {
    const bytes = Buffer.alloc(300_000, 'paradoxon');

    const body = translatedBody(Readable.from([bytes.subarray(0, 100_000), bytes.subarray(100_000)]), asIs);

    expect((await buffer(body)).equals(bytes)).toBe(true);
  });

  it('does not read ahead of its reader', async () => {
    let given = 0;
    const source = new Readable({
      read() {
        given += 1024;
        this.push(Buffer.alloc(1024));
      },
    });
    const body = translatedBody(source, asIs);
    await turn();
    expect(given).toBe(0);

    body.read(1);
    await turn();

    expect(given).toBeLessThan(512 * 1024);
    body.destroy();
  });

  it('closes a source that gives nothing as soon as the reader leaves', async () => {
    const source = new Readable({ read: () => undefined });
    const body = translatedBody(source, asIs);
    body.resume();
    await turn();

    body.destroy();
    await turn();

    expect(source.destroyed).toBe(true);
  });

  it('fails with the translated error', async () => {
    const source = new Readable({ read: () => undefined });
    const body = translatedBody(source, (error) => new Error('translated', { cause: error }));
    const reading = buffer(body);

    source.destroy(new Error('broken'));

    await expect(reading).rejects.toThrow('translated');
  });

  it('fails when its source is closed before its end', async () => {
    const source = new Readable({ read: () => undefined });
    const reading = buffer(translatedBody(source, asIs));

    source.destroy();

    await expect(reading).rejects.toThrow('Premature close');
  });
});
