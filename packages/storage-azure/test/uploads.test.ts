import { createHash, randomBytes } from 'node:crypto';
import { PassThrough, Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from '@jest/globals';
import type { AnswerProxy } from './answer-proxy.ts';
import { everythingIn, useAzurite } from './azurite.ts';
import { blocks, bodyOf, chunksOf, KiB, keysOf, MiB, read, text } from './bodies.ts';

const azurite = useAzurite();

const count = (proxy: AnswerProxy, kind: string): number => proxy.kinds().filter((each) => each === kind).length;

describe('what is sent', () => {
  it('is one request for what fits into one part, and a request for each block above', async () => {
    const { proxy, store } = await azurite.proxied();

    await store.put('small', bodyOf(randomBytes(64 * KiB)));
    const small = proxy.kinds();
    await store.put('large', bodyOf(blocks(3)));

    expect(small).toEqual(['put']);
    expect(proxy.kinds().slice(1)).toEqual(['block', 'block', 'block', 'block', 'blocklist', 'head']);
  });

  it('has an MD5 with every block, which Azure compares', async () => {
    const { proxy, store, container } = await azurite.proxied();
    proxy.treat(({ kind }, nth) => (kind === 'block' && nth === 2 ? { changeBody: flipped } : undefined));

    const put = store.put('large', bodyOf(blocks(3)));

    await expect(put).rejects.toMatchObject({
      code: 'CHECKSUM_MISMATCH',
      retry: 'safe',
      committed: 'no',
      key: 'large',
    });
    expect(proxy.seen.filter(({ kind, headers }) => kind === 'block' && !headers['content-md5'])).toEqual([]);
    expect(await everythingIn(container)).toEqual([]);
  });

  it('has an MD5 when it is sent whole, too', async () => {
    const { proxy, store, container } = await azurite.proxied();
    proxy.treat(({ kind }) => (kind === 'put' ? { changeBody: flipped } : undefined));

    await expect(store.put('small', text('bytes'))).rejects.toMatchObject({
      code: 'CHECKSUM_MISMATCH',
      committed: 'no',
    });
    expect(await everythingIn(container)).toEqual([]);
  });

  it('carries the MD5 that the giver of the body has computed', async () => {
    const store = await azurite.store();
    const wrong = { ...text('bytes'), checksums: () => ({ md5: '0'.repeat(32) }) };

    await expect(store.put('a', wrong)).rejects.toMatchObject({ code: 'CHECKSUM_MISMATCH' });
    await expect(store.head('a')).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it.each([
    { what: 'computed on the way', given: (bytes: Buffer) => bodyOf(bytes) },
    {
      what: 'from the giver',
      given: (bytes: Buffer) => ({ ...bodyOf(bytes), checksums: () => ({ md5: md5Of(bytes) }) }),
    },
  ])('carries the MD5 of the whole with its blocks, $what', async ({ given }) => {
    const { store, container } = await azurite.proxied();
    const bytes = blocks(3);

    const { checksums } = await store.put('large', given(bytes));

    const { contentMD5 } = await container.getBlobClient('large').getProperties();
    expect(checksums).toEqual({ md5: md5Of(bytes) });
    expect(Buffer.from(contentMD5 ?? []).toString('hex')).toBe(md5Of(bytes));
  });

  it('goes to the chosen access tier, whole and in blocks', async () => {
    const { store, container } = await azurite.proxied({ accessTier: 'Cool' });

    await store.put('small', text('bytes'));
    await store.put('large', bodyOf(blocks(2)));

    for (const name of ['small', 'large']) {
      expect((await container.getBlobClient(name).getProperties()).accessTier).toBe('Cool');
    }
  });

  it('keeps every name of metadata that the contract allows, also those that Azure does not', async () => {
    const store = await azurite.store();
    const metadata = { '7-days': 'a', 'n-1': 'b', n1: 'c', '-x-': 'd', 'a--b': 'e', 'n-7-days': 'f' };

    await store.put('a', text('bytes'), { metadata });

    expect({ ...(await store.head('a')).metadata }).toEqual(metadata);
    for await (const info of store.list('')) expect({ ...info.metadata }).toEqual(metadata);
  });

  it('is held back when Azure is slow: one buffer for the put, and those that the store has beside it', async () => {
    const { proxy, store } = await azurite.proxied({ uploadConcurrency: 2 });
    const gate = Promise.withResolvers<void>();
    proxy.treat(({ kind }) => (kind === 'block' ? { before: () => gate.promise } : undefined));
    const bytes = blocks(20);
    let given = 0;
    function* counted(): Generator<Uint8Array> {
      for (const chunk of chunksOf(bytes)) {
        given += chunk.byteLength;
        yield chunk;
      }
    }

    const put = store.put('large', { size: bytes.byteLength, chunks: Readable.from(counted(), { highWaterMark: 1 }) });
    await sleep(300);
    const held = given;
    const atOnce = count(proxy, 'block');
    gate.resolve();
    await put;

    expect(atOnce).toBe(2);
    expect(held).toBeLessThanOrEqual(3 * 64 * KiB + 3 * 16 * KiB);
    expect((await read(store, 'large')).equals(bytes)).toBe(true);
  });
});

describe('a source that', () => {
  it('is cut short leaves nothing', async () => {
    const { store, container } = await azurite.proxied();
    const bytes = blocks(4);
    const cut = { size: bytes.byteLength, chunks: Readable.from(chunksOf(bytes.subarray(0, 200_000))) };

    await expect(store.put('a', cut)).rejects.toMatchObject({ code: 'SOURCE_TRUNCATED', scope: 'source' });
    expect(await everythingIn(container)).toEqual([]);
  });

  it('stalls behind some blocks and is aborted leaves nothing, not even what was still on its way', async () => {
    const { proxy, store, container } = await azurite.proxied();
    proxy.treat(({ kind }, nth) => (kind === 'block' && nth === 3 ? { before: () => sleep(100) } : undefined));
    const source = new PassThrough();
    source.write(blocks(3));
    const abort = new AbortController();

    const put = store.put('a', { chunks: source }, { signal: abort.signal });
    while (count(proxy, 'block') < 3) await sleep(5);
    const began = Date.now();
    abort.abort();

    await expect(put).rejects.toMatchObject({ code: 'ABORTED', committed: 'no' });
    expect(Date.now() - began).toBeLessThan(1500);
    expect(source.destroyed).toBe(true);
    expect(await everythingIn(container)).toEqual([]);
  });

  it('is destroyed without an error ends the put, and leaves nothing', async () => {
    const { store, container } = await azurite.proxied();
    const source = new PassThrough();
    source.write(blocks(2));

    const put = store.put('a', { size: 10 * MiB, chunks: source });
    setTimeout(() => source.destroy(), 100);

    await expect(put).rejects.toThrow('Premature close');
    expect(await everythingIn(container)).toEqual([]);
  });

  it('is empty makes an empty object, in one request', async () => {
    const { proxy, store } = await azurite.proxied();

    const stored = await store.put('a', { chunks: Readable.from([]) });

    expect(stored).toMatchObject({ size: 0, checksums: { md5: 'd41d8cd98f00b204e9800998ecf8427e' } });
    expect(proxy.kinds()).toEqual(['put']);
  });

  it('is larger than 50,000 blocks, or meant for a bad key, is not read, but closed', async () => {
    const store = await azurite.store({ partBytes: 64 * KiB });
    const tooLarge = Readable.from([Buffer.from('a')]);
    const badKey = Readable.from([Buffer.from('a')]);

    const large = store.put('a', { size: 50_000 * 64 * KiB + 1, chunks: tooLarge });
    await expect(large).rejects.toMatchObject({ code: 'TOO_LARGE', storage: 'az' });
    await expect(store.put('../a', { chunks: badKey })).rejects.toMatchObject({ code: 'INVALID_KEY' });

    expect([tooLarge.destroyed, badKey.destroyed]).toEqual([true, true]);
  });
});

describe('a put whose', () => {
  it.each(['break', 'loseAnswer'] as const)('block %ss is whole: only that block is sent again', async (fault) => {
    const { proxy, store, container } = await azurite.proxied();
    proxy.treat(({ kind }, nth) => (kind === 'block' && nth === 2 ? { [fault]: true } : undefined));
    const bytes = blocks(3);

    await store.put('a', bodyOf(bytes));

    expect((await read(store, 'a')).equals(bytes)).toBe(true);
    expect(count(proxy, 'block')).toBe(5);
    expect(await everythingIn(container)).toEqual(['a']);
    const { uncommittedBlocks } = await container.getBlockBlobClient('a').getBlockList('uncommitted');
    expect(uncommittedBlocks).toEqual([]);
  });

  it.each([
    { what: 'one request', kind: 'put', bytes: Buffer.from('bytes') },
    { what: 'commit', kind: 'blocklist', bytes: blocks(2) },
  ])('$what loses its answer is sent again, and whole', async ({ kind, bytes }) => {
    const { proxy, store } = await azurite.proxied();
    proxy.treat((request, nth) => (request.kind === kind && nth === 1 ? { loseAnswer: true } : undefined));

    const { size } = await store.put('a', bodyOf(bytes));

    expect(size).toBe(bytes.byteLength);
    expect((await read(store, 'a')).equals(bytes)).toBe(true);
  });

  it.each([
    { what: 'one create-only request', kind: 'put', bytes: Buffer.from('bytes') },
    { what: 'create-only commit', kind: 'blocklist', bytes: blocks(2) },
  ])('$what loses its answer does not call itself the loser', async ({ kind, bytes }) => {
    const { proxy, store } = await azurite.proxied();
    proxy.treat((request, nth) => (request.kind === kind && nth === 1 ? { loseAnswer: true } : undefined));

    const put = store.put('a', bodyOf(bytes), { ifAbsent: true });

    await expect(put).rejects.toMatchObject({ code: 'NETWORK', retry: 'safe', committed: 'unknown' });
    expect((await read(store, 'a')).equals(bytes)).toBe(true);
  });

  it('create-only request is turned away for a moment is sent again', async () => {
    const { proxy, store } = await azurite.proxied();
    proxy.treat(({ kind }, nth) =>
      kind === 'put' && nth === 1 ? { answer: { status: 503, code: 'AccountBeingCreated' } } : undefined,
    );

    await store.put('a', text('bytes'), { ifAbsent: true });

    expect(proxy.kinds()).toEqual(['put', 'put']);
  });

  it('first attempt may have taken effect says so, whatever the last one says', async () => {
    const { proxy, store } = await azurite.proxied();
    proxy.treat((_, nth) =>
      nth === 1 ? { loseAnswer: true } : { answer: { status: 403, code: 'AuthorizationPermissionMismatch' } },
    );

    const put = store.put('a', text('bytes'));

    await expect(put).rejects.toMatchObject({ code: 'PERMISSION_DENIED', committed: 'unknown' });
  });

  it('last request is aborted while Azure is at it says that nobody knows', async () => {
    const { proxy, store } = await azurite.proxied();
    const abort = new AbortController();
    proxy.treat(({ kind }) =>
      kind === 'blocklist' ? { after: () => Promise.resolve(abort.abort()).then(() => sleep(200)) } : undefined,
    );
    const bytes = blocks(2);

    const put = store.put('a', bodyOf(bytes), { signal: abort.signal });

    await expect(put).rejects.toMatchObject({ code: 'ABORTED', committed: 'unknown' });
    expect((await read(store, 'a')).equals(bytes)).toBe(true);
  });

  it('commit is refused leaves nothing', async () => {
    const { proxy, store, container } = await azurite.proxied();
    proxy.treat(({ kind }) =>
      kind === 'blocklist' ? { answer: { status: 400, code: 'InvalidBlockList' } } : undefined,
    );

    const put = store.put('a', bodyOf(blocks(2)));

    await expect(put).rejects.toMatchObject({ code: 'UNAVAILABLE', retry: 'safe', committed: 'no', httpStatus: 400 });
    expect(count(proxy, 'blocklist')).toBe(1);
    expect(await everythingIn(container)).toEqual([]);
  });

  it('stored bytes are others, by what Azure says of them, is taken back', async () => {
    const { proxy, store, container } = await azurite.proxied();
    const wrong = { changeAnswer: lie({ 'content-md5': Buffer.alloc(16).toString('base64') }) };
    proxy.treat(({ kind }) => (kind === 'put' || kind === 'head' ? wrong : undefined));

    for (const bytes of [Buffer.from('bytes'), blocks(2)]) {
      const put = store.put('a', bodyOf(bytes));
      await expect(put).rejects.toMatchObject({ code: 'CHECKSUM_MISMATCH', committed: 'no', storage: 'az', key: 'a' });
      expect(await everythingIn(container)).toEqual([]);
    }
  });

  it('wrong object is replaced before it is taken back leaves the newer one alone', async () => {
    const { proxy, store, container } = await azurite.proxied();
    const wrong = lie({ 'content-md5': Buffer.alloc(16).toString('base64') });
    const replace = () => container.getBlockBlobClient('a').upload('newer', 5);
    proxy.treat(({ kind }) => (kind === 'put' ? { changeAnswer: wrong } : { before: replace }));

    await expect(store.put('a', text('bytes'))).rejects.toMatchObject({ code: 'CHECKSUM_MISMATCH', committed: 'yes' });

    expect((await container.getBlockBlobClient('a').downloadToBuffer()).toString()).toBe('newer');
  });

  it('stored size is another, by what Azure says of it, is taken back', async () => {
    const { proxy, store, container } = await azurite.proxied();
    proxy.treat(({ kind }) => (kind === 'head' ? { changeAnswer: lie({ 'content-length': '7' }) } : undefined));

    await expect(store.put('a', bodyOf(blocks(2)))).rejects.toThrow('7 bytes');
    expect(await everythingIn(container)).toEqual([]);
  });

  it('answer has no MD5 looks the object up', async () => {
    const { proxy, store } = await azurite.proxied();
    proxy.treat(({ kind }) => (kind === 'put' ? { changeAnswer: lie({ 'content-md5': undefined }) } : undefined));

    const { checksums } = await store.put('a', text('bytes'));

    expect(checksums.md5).toBe('4b3a6218bb3e3a7303e8a171a60fcf92');
    expect(proxy.kinds()).toEqual(['put', 'head']);
  });

  it('object is replaced before it could be compared says so, and leaves the newer one alone', async () => {
    const { proxy, store, container } = await azurite.proxied();
    const replace = () => container.getBlockBlobClient('a').upload('newer', 5);
    proxy.treat(({ kind }) => (kind === 'head' ? { before: replace } : undefined));

    const put = store.put('a', bodyOf(blocks(2)));

    await expect(put).rejects.toMatchObject({
      code: 'PRECONDITION_FAILED',
      retry: 'safe',
      committed: 'yes',
      storage: 'az',
    });
    expect((await read(store, 'a')).toString()).toBe('newer');
  });
});

describe('of two writers of one key', () => {
  it('the one that creates and is late is told before it sends gigabytes', async () => {
    const { proxy, store } = await azurite.proxied();
    await store.put('a', text('first'));
    const before = proxy.seen.length;

    await expect(store.put('a', bodyOf(blocks(5)), { ifAbsent: true })).rejects.toMatchObject({
      code: 'ALREADY_EXISTS',
    });

    expect(proxy.kinds().slice(before)).toEqual(['head']);
    expect((await read(store, 'a')).toString()).toBe('first');
  });

  it.each([
    { says: 'the condition is not met (409)', answer: undefined },
    { says: 'the condition is not met (412)', answer: { status: 412, code: 'ConditionNotMet' } },
    { says: 'the blocks are gone (400)', answer: { status: 400, code: 'InvalidBlockList' } },
  ])('the one that creates and commits second has lost, also when Azure says that $says', async ({ answer }) => {
    const { proxy, store, container } = await azurite.proxied();
    const first = () => container.getBlockBlobClient('a').upload('first', 5);
    proxy.treat(({ kind }, nth) => {
      if (kind === 'block' && nth === 1) return { before: first };
      return kind === 'blocklist' && answer ? { answer } : undefined;
    });

    const put = store.put('a', bodyOf(blocks(2)), { ifAbsent: true });

    await expect(put).rejects.toMatchObject({ code: 'ALREADY_EXISTS', committed: 'no', storage: 'az' });
    expect((await read(store, 'a')).toString()).toBe('first');
  });

  it('none ever gets blocks of the other', async () => {
    const { store, container } = await azurite.proxied();
    const [one, two] = [blocks(4), blocks(4)];

    const outcomes = await Promise.allSettled([store.put('a', bodyOf(one)), store.put('a', bodyOf(two))]);

    const stored = await read(store, 'a');
    expect(stored.equals(one) || stored.equals(two)).toBe(true);
    expect(outcomes.some(({ status }) => status === 'fulfilled')).toBe(true);
    expect(await everythingIn(container)).toEqual(['a']);
  });

  it('the one that is given up does not take the object of the other with it', async () => {
    const { proxy, store, container } = await azurite.proxied();
    const finished = () => container.getBlockBlobClient('a').upload('finished', 8);
    proxy.treat(({ kind }, nth) => (kind === 'delete' && nth === 1 ? { before: finished } : undefined));
    const failing = { chunks: failAfter(blocks(3)) };

    await expect(store.put('a', failing)).rejects.toThrow('the source broke');

    expect(count(proxy, 'delete')).toBeGreaterThan(0);
    expect((await read(store, 'a')).toString()).toBe('finished');
  });

  it('the one that is given up leaves the blocks of the other, who is still sending', async () => {
    const { store, container } = await azurite.proxied();
    const blob = container.getBlockBlobClient('a');
    const waiting = async () => (await blob.getBlockList('uncommitted')).uncommittedBlocks?.map(({ name }) => name);
    const rest = Promise.withResolvers<void>();
    const bytes = blocks(4);
    const slowly = async function* () {
      yield bytes.subarray(0, 150 * KiB);
      await rest.promise;
      yield bytes.subarray(150 * KiB);
    };
    const sending = store.put('a', { chunks: slowly() });
    while ((await waiting().catch(() => []))?.length !== 2) await sleep(20);
    const theirs = await waiting();

    await expect(store.put('a', { chunks: failAfter(blocks(3)) })).rejects.toThrow('the source broke');

    expect(await waiting()).toEqual(expect.arrayContaining(theirs ?? []));
    rest.resolve();
    await sending;
    expect((await read(store, 'a')).equals(bytes)).toBe(true);
  });
});

describe('sweeping', () => {
  const later = () => new Date(Date.now() + 60_000);

  it('removes the blocks of a process that was killed, below its own prefix only', async () => {
    const { proxy, store, container } = await azurite.proxied({ prefix: 'mine' });
    proxy.treat(({ kind }) => (kind === 'delete' ? { answer: { status: 500, code: 'InternalError' } } : undefined));
    await expect(store.put('a', { chunks: failAfter(blocks(3)) })).rejects.toThrow('the source broke');
    await store.put('empty', text(''));
    proxy.treat(() => undefined);
    const other = await azurite.store({ container: container.containerName, prefix: 'theirs' });

    const tooEarly = await store.sweepIncomplete(new Date(Date.now() - 60_000));
    const elsewhere = await other.sweepIncomplete(later());
    const before = await everythingIn(container);
    const deletes = count(proxy, 'delete');
    const swept = await store.sweepIncomplete(later());

    expect([tooEarly.removed, elsewhere.removed, swept.removed]).toEqual([0, 0, 1]);
    expect(before).toEqual(['mine/a', 'mine/empty']);
    expect(count(proxy, 'delete') - deletes).toBe(1);
    expect(await everythingIn(container)).toEqual(['mine/empty']);
  });

  it('lets the blocks of other programs alone', async () => {
    const { store, container } = await azurite.proxied();
    const name = Buffer.from('somebody else').toString('base64');
    await container.getBlockBlobClient('theirs').stageBlock(name, 'abc', 3);

    expect(await store.sweepIncomplete(later())).toEqual({ removed: 0 });
    expect(await everythingIn(container)).toEqual(['theirs']);
  });

  it('never deletes an object, also when it is finished at this moment', async () => {
    const { proxy, store, container } = await azurite.proxied();
    proxy.treat(({ kind }) => (kind === 'delete' ? { answer: { status: 500, code: 'InternalError' } } : undefined));
    await expect(store.put('a', { chunks: failAfter(blocks(3)) })).rejects.toThrow('the source broke');
    const finished = () => container.getBlockBlobClient('a').upload('', 0);
    proxy.treat(({ kind }) => (kind === 'delete' ? { before: finished } : undefined));

    expect(await store.sweepIncomplete(later())).toEqual({ removed: 0 });
    expect(await keysOf(store)).toEqual(['a']);
  });

  it('of a failed overwrite: its blocks are invisible, and the next write of the key removes them', async () => {
    const { store, container } = await azurite.proxied();
    await store.put('a', text('old'));
    const waiting = async () =>
      (await container.getBlockBlobClient('a').getBlockList('uncommitted')).uncommittedBlocks?.length ?? 0;

    await expect(store.put('a', { chunks: failAfter(blocks(3)) })).rejects.toThrow('the source broke');
    const left = await waiting();
    const stillOld = await read(store, 'a');
    await store.put('a', bodyOf(blocks(2)));

    expect(left).toBeGreaterThan(0);
    expect(stillOld.toString()).toBe('old');
    expect(await waiting()).toBe(0);
  });
});

it('closes its connections, and shares none with another store', async () => {
  const { proxy, store, container } = await azurite.proxied();
  const other = await azurite.store({
    accountUrl: proxy.endpoint,
    container: (await azurite.container()).containerName,
  });
  await Promise.all([store.put('a', bodyOf(blocks(4))), other.put('b', text('other'))]);
  expect(await proxy.openConnections()).toBeGreaterThan(2);

  await store.close();
  await sleep(50);
  const left = await proxy.openConnections();
  const kept = await read(other, 'b');

  expect(left).toBe(1);
  expect(kept.toString()).toBe('other');
  expect(await keysOf(other)).toEqual(['b']);
  expect(await everythingIn(container)).toEqual(['a']);
});

it('lets go of connections that nobody needs, and makes new ones', async () => {
  const { proxy, store } = await azurite.proxied({ idleTimeoutMs: 100 });
  await store.put('a', text('bytes'));
  await store.head('a');

  await sleep(1000);

  expect(await proxy.openConnections()).toBe(0);
  expect((await read(store, 'a')).toString()).toBe('bytes');
});

it('takes as long as it takes, as long as bytes move', async () => {
  const { proxy, store } = await azurite.proxied({ partBytes: 32 * MiB, idleTimeoutMs: 700 });
  const bytes = randomBytes(30 * MiB);
  const md5 = createHash('md5').update(bytes).digest('base64');
  // not Azurite: what it takes to store so much at once would be silence
  const answer = { status: 201, headers: { 'content-md5': md5, etag: '"0x1"' } };
  proxy.treat(({ kind }) => (kind === 'put' ? { takeSlowly: MiB, answer } : undefined));
  const began = Date.now();

  await store.put('a', bodyOf(bytes));

  expect(Date.now() - began).toBeGreaterThan(1400);
  expect(proxy.kinds()).toEqual(['put']);
});

const md5Of = (bytes: Buffer): string => createHash('md5').update(bytes).digest('hex');

function flipped(body: Buffer): Buffer {
  const other = Buffer.from(body);
  other.writeUInt8(other.readUInt8(0) ^ 1, 0);
  return other;
}

const lie =
  (changes: Record<string, string | undefined>) =>
  (headers: Record<string, string | string[] | undefined>): void => {
    for (const [name, value] of Object.entries(changes)) {
      if (value === undefined) delete headers[name];
      else headers[name] = value;
    }
  };

/** No Readable, which reads ahead and drops what it has when its source fails. */
async function* failAfter(bytes: Buffer): AsyncGenerator<Uint8Array> {
  yield* chunksOf(bytes);
  // the blocks shall be there by then
  await sleep(150);
  throw new Error('the source broke');
}
