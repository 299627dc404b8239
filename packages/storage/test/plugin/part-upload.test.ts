import { describe, expect, it } from '@jest/globals';
import { PartUploader } from '../../src/plugin/index.ts';
import { contentOf, GivenBody } from './given-body.ts';
import { RecordedUpload, turns } from './recorded-upload.ts';

const PART = 1000;
const LENGTHS = [[1], [7, 0, 333], [PART], [2500], [10_000], [PART - 1, 1], [0, PART + 1]];

const uploader = (options: { partsAtOnce?: number; extraBuffers?: number } = {}): PartUploader =>
  new PartUploader({ partBytes: PART, partsAtOnce: 4, extraBuffers: 4, ...options });

const sizes = [0, 1, PART - 1, PART, PART + 1, 2 * PART - 1, 2 * PART, 3 * PART, 3 * PART + 1];

describe.each([
  { announced: 'announced', announce: true },
  { announced: 'not announced', announce: false },
])('a body whose size is $announced', ({ announce }) => {
  it.each(sizes.filter((size) => size <= PART))('of %d bytes goes whole, in one request', async (size) => {
    for (const lengths of LENGTHS) {
      const content = contentOf(size);
      const store = new RecordedUpload();

      const stored = await uploader().upload(new GivenBody(content, { lengths, ...(announce ? { size } : {}) }), store);

      expect(stored.equals(content)).toBe(true);
      expect(store.requests).toEqual(['whole']);
    }
  });

  it.each(sizes.filter((size) => size > PART))('of %d bytes goes in full parts and a rest', async (size) => {
    for (const lengths of LENGTHS) {
      const content = contentOf(size);
      const store = new RecordedUpload();

      const stored = await uploader().upload(new GivenBody(content, { lengths, ...(announce ? { size } : {}) }), store);

      const count = Math.ceil(size / PART);
      const rest = size - (count - 1) * PART;
      expect(stored.equals(content)).toBe(true);
      expect(store.parts).toEqual(
        Array.from({ length: count }, (_, index) => ({
          number: index + 1,
          offset: index * PART,
          last: index === count - 1,
        })),
      );
      expect(store.sizes).toEqual([...Array.from({ length: count - 1 }, () => PART), rest]);
      expect(store.totalBytes).toBe(size);
      expect([store.requests[0], store.requests.at(-1)]).toEqual(['begin', 'complete']);
      expect(store.cancelled).toEqual([]);
    }
  });
});

it('cuts parts of the size that the store wants, when it wants another one', async () => {
  const content = contentOf(5000);
  const larger = new RecordedUpload({ partBytes: 2 * PART });
  const smaller = new RecordedUpload({ partBytes: PART / 2 });
  const whole = new RecordedUpload({ partBytes: 5000 });

  const stored = await Promise.all([
    uploader().upload(new GivenBody(content), larger),
    uploader().upload(new GivenBody(content), smaller),
    uploader().upload(new GivenBody(content), whole),
  ]);

  expect(stored.map((object) => object.equals(content))).toEqual([true, true, true]);
  expect(larger.sizes).toEqual([2000, 2000, 1000]);
  expect(smaller.sizes).toEqual(Array.from({ length: 10 }, () => PART / 2));
  expect(whole.requests).toEqual(['whole']);
});

it('hands the receipts over in the order of the parts, not in that of the answers', async () => {
  const content = contentOf(4 * PART);
  const store = new RecordedUpload({ part: (number) => turns(20 - 4 * number) });

  const stored = await uploader().upload(new GivenBody(content), store);

  expect(stored.equals(content)).toBe(true);
});

it.each([1, 2, 4])('has %d parts under way at once, and never more', async (partsAtOnce) => {
  const content = contentOf(12 * PART);
  const store = new RecordedUpload({ part: (number) => turns(1 + (number % 3) * 3) });

  const stored = await uploader({ partsAtOnce, extraBuffers: 8 }).upload(new GivenBody(content), store);

  expect(stored.equals(content)).toBe(true);
  expect(store.mostPartsUnderWay).toBe(partsAtOnce);
});

it('sends one part after the other, in order, for a store that takes one at a time', async () => {
  const content = contentOf(6 * PART);
  const log: string[] = [];
  const store = new RecordedUpload({
    part: async (number) => {
      log.push(`${number} begins`);
      await turns(6 - number);
      log.push(`${number} ends`);
    },
  });

  await uploader({ partsAtOnce: 1 }).upload(new GivenBody(content), store);

  expect(log).toEqual([1, 2, 3, 4, 5, 6].flatMap((number) => [`${number} begins`, `${number} ends`]));
});

it.each([
  { partsAtOnce: 2, extraBuffers: 8 },
  { partsAtOnce: 8, extraBuffers: 1 },
])('does not let one slow part hold up the others, with %j', async (options) => {
  const fifth = Promise.withResolvers<void>();
  const store = new RecordedUpload({
    part: async (number) => {
      await (number === 1 ? fifth.promise : turns(3));
      if (number === 5) fifth.resolve();
    },
  });

  const stored = await uploader(options).upload(new GivenBody(contentOf(6 * PART)), store);

  expect(stored.equals(contentOf(6 * PART))).toBe(true);
});

it('reads on while a part is under way', async () => {
  const answer = Promise.withResolvers<void>();
  const body = new GivenBody(contentOf(3 * PART), { lengths: [PART] });
  const store = new RecordedUpload({ part: () => answer.promise });

  const upload = uploader({ partsAtOnce: 1 }).upload(body, store);
  await turns(5);

  expect(store.requests).toEqual(['begin', 'part 1']);
  expect(body.given).toBe(3 * PART);
  answer.resolve();
  await upload;
});

it('begins no session before it knows that the object does not fit into one part', async () => {
  const body = new GivenBody(contentOf(2 * PART), { stallAt: PART, lengths: [PART] });
  const store = new RecordedUpload();
  const controller = new AbortController();

  const upload = uploader().upload(body, store, controller.signal);
  await body.stalled;
  await turns(2);

  expect(store.requests).toEqual([]);
  controller.abort();
  await expect(upload).rejects.toMatchObject({ code: 'ABORTED' });
});
