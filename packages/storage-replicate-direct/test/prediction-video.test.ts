import { describe, expect, it } from '@jest/globals';
import { parsePrediction, videoUrlOf } from '../src/index.ts';
import { errorOf } from './errors.ts';

const ID = '15eyanar9xrg80ckd3ytdz0hhr';
const URL = 'https://replicate.delivery/czjl/0BRwO64eE5x/tmpxql776w8.output.mp4';
const INPUT = { prompt: 'a woman is walking through a busy Tokyo street' };

/** As Replicate's API answers. */
const prediction = (fields: Record<string, unknown>) =>
  parsePrediction({ id: ID, input: INPUT, data_removed: false, error: null, ...fields });

describe('the video of a prediction', () => {
  it('is the URL in the output of one that succeeded', () => {
    expect(videoUrlOf(prediction({ status: 'succeeded', output: [URL] }))).toBe(URL);
  });

  it('is there although an error text says otherwise', () => {
    expect(videoUrlOf(prediction({ status: 'succeeded', output: URL, error: 'Prediction timed out' }))).toBe(URL);
  });

  it.each([
    { title: 'starting', fields: { status: 'starting', output: null }, code: 'SOURCE_NOT_READY' },
    {
      title: 'processing, with part of its output',
      fields: { status: 'processing', output: [URL] },
      code: 'SOURCE_NOT_READY',
    },
    { title: 'in a status of the future', fields: { status: 'queued' }, code: 'SOURCE_NOT_READY' },
    { title: 'failed', fields: { status: 'failed', error: 'NSFW content detected' }, code: 'SOURCE_FAILED' },
    {
      title: 'failed long ago',
      fields: { status: 'failed', error: 'NSFW', data_removed: true },
      code: 'SOURCE_FAILED',
    },
    { title: 'canceled', fields: { status: 'canceled' }, code: 'SOURCE_FAILED' },
    { title: 'aborted', fields: { status: 'aborted' }, code: 'SOURCE_FAILED' },
    {
      title: 'succeeded with an error and no output',
      fields: { status: 'succeeded', output: null, error: 'Prediction timed out', input: {} },
      code: 'SOURCE_FAILED',
    },
    {
      title: 'succeeded with an output that is no URL',
      fields: { status: 'succeeded', output: 'a poem' },
      code: 'SOURCE_FAILED',
    },
    {
      title: 'succeeded without an output, inputs still there',
      fields: { status: 'succeeded', output: null },
      code: 'SOURCE_FAILED',
    },
    {
      title: 'removed, and said to be',
      fields: { status: 'succeeded', output: null, input: {}, data_removed: true },
      code: 'SOURCE_EXPIRED',
    },
    {
      title: 'said to be removed, although its input is still there',
      fields: { status: 'succeeded', output: null, data_removed: true },
      code: 'SOURCE_EXPIRED',
    },
    {
      title: 'removed, without being said to be',
      fields: { status: 'succeeded', output: null, input: {} },
      code: 'SOURCE_EXPIRED',
    },
  ])('is refused as $code when it is $title', async ({ fields, code }) => {
    const error = await errorOf(() => videoUrlOf(prediction(fields)));

    expect(error).toMatchObject({ code, scope: 'source' });
    expect(error.message).toContain(ID);
  });

  it('says when to ask again while the prediction runs', async () => {
    const error = await errorOf(() => videoUrlOf(prediction({ status: 'processing' })));

    expect(error.retry).toBe('after');
    expect(error.retryAfterMs).toBeGreaterThan(0);
  });

  it("passes on Replicate's error text, cut and without the queries of its URLs", async () => {
    const text = `cannot fetch https://bucket.example/first.png?X-Amz-Signature=PLANTED ${'x'.repeat(5000)}`;

    const error = await errorOf(() => videoUrlOf(prediction({ status: 'failed', error: text })));

    expect(error.message).toContain('cannot fetch https://bucket.example/first.png');
    expect(error.message).not.toContain('PLANTED');
    expect(error.message.length).toBeLessThan(500);
  });

  it('cuts no password open', async () => {
    const text = `${'x'.repeat(282)} https://user:1234PLANTED@bucket.example/${'y'.repeat(100)}`;

    const error = await errorOf(() => videoUrlOf(prediction({ status: 'failed', error: text })));

    expect(error.message).not.toContain('1234');
  });

  it('passes on an error that is JSON', async () => {
    const error = await errorOf(() => videoUrlOf(prediction({ status: 'failed', error: { detail: 'out of memory' } })));

    expect(error.message).toContain('out of memory');
  });
});

describe('a prediction read from JSON', () => {
  it('keeps fields nobody knows', () => {
    expect(prediction({ status: 'starting', flavour: 'sour' })).toMatchObject({ flavour: 'sour' });
  });

  it('needs an id and a status, and no more', () => {
    expect(parsePrediction({ id: ID, status: 'starting' }).id).toBe(ID);
  });

  it('takes fields of another type for absent ones', () => {
    const odd = prediction({ status: 'succeeded', output: URL, data_removed: null, created_at: 17, started_at: null });

    expect(odd.data_removed).toBeUndefined();
    expect(odd.created_at).toBeUndefined();
    expect(videoUrlOf(odd)).toBe(URL);
  });

  it.each([null, 'text', [], {}, { id: '' }, { id: ID }, { status: 'starting' }])('is refused for %j', async (json) => {
    expect((await errorOf(() => parsePrediction(json))).code).toBe('UNAVAILABLE');
  });
});
