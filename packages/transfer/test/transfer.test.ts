import { afterEach, describe, expect, it } from '@jest/globals';
import { MemoryStorage } from '@paradoxon/storage-testing';
import { fromObject, transfer, type TransferProgress, type TransferTarget } from '../src/index.ts';
import { bytesIn, Setting, withMethods } from './fixtures/setting.ts';
import { md5, mp4, sha256 } from './fixtures/video-bytes.ts';

const MiB = 1024 ** 2;
const setting = new Setting();
afterEach(() => setting.end());

describe('a whole source', () => {
  it('arrives byte for byte in every store, from one request, with its type and its checksums', async () => {
    const video = mp4(3 * MiB + 12_345);
    const { direct, server } = await setting.source(video);
    const stores = [
      new MemoryStorage('memory'),
      new MemoryStorage('cloud', { checksums: ['md5', 'crc32c'] }),
      await setting.local(),
    ];

    const { content, verdicts, attempts } = await transfer(
      direct,
      stores.map((store) => ({ store, key: 'films/1/scene.mp4', cacheControl: 'private', metadata: { film: '1' } })),
    );

    expect(attempts).toBe(1);
    expect(server.requests).toEqual([{ method: 'GET', path: '/video.mp4', status: 200 }]);
    expect(content).toMatchObject({
      size: video.byteLength,
      sha256: sha256(video),
      checksums: { sha256: sha256(video), md5: md5(video), crc32c: expect.any(String) },
      video: { contentType: 'video/mp4', extension: 'mp4' },
    });
    for (const [index, store] of stores.entries()) {
      expect(verdicts[index]).toMatchObject({ ok: true, store: store.id, key: 'films/1/scene.mp4', reused: false });
      expect((await bytesIn(store, 'films/1/scene.mp4'))?.equals(video)).toBe(true);
      expect(await store.head('films/1/scene.mp4')).toMatchObject({
        contentType: 'video/mp4',
        cacheControl: 'private',
        metadata: { film: '1' },
      });
    }
  });

  it.each([{ size: 48 }, { size: 4099 }, { size: 4101 }, { size: 256 * 1024 }, { size: 256 * 1024 + 1 }])(
    'of $size bytes arrives whole',
    async ({ size }) => {
      const store = new MemoryStorage();
      const { direct } = await setting.source(mp4(size));

      const { verdicts } = await transfer(direct, [{ store, key: 'a' }]);

      expect(verdicts).toMatchObject([{ ok: true }]);
      expect((await bytesIn(store, 'a'))?.equals(mp4(size))).toBe(true);
    },
  );

  it('is given a key that depends on what it is', async () => {
    const store = new MemoryStorage();
    const { direct } = await setting.source(mp4(5000), '/no-extension');

    const { verdicts } = await transfer(direct, [{ store, key: ({ extension }) => `scene.${extension}` }]);

    expect(verdicts).toMatchObject([{ ok: true, key: 'scene.mp4' }]);
  });

  it('needs no announced length', async () => {
    const video = mp4(MiB);
    const store = new MemoryStorage();
    const { direct, server, name } = await setting.source(video);
    server.fail(name, ['no-length']);

    const { verdicts } = await transfer(direct, [{ store, key: 'a' }]);

    expect(verdicts).toMatchObject([{ ok: true, stored: { size: MiB } }]);
  });

  it('can be an object of another store, which is how a lost copy is repaired', async () => {
    const video = mp4(MiB);
    const [good, lost] = [await setting.local('good'), new MemoryStorage('lost')];
    const { direct } = await setting.source(video);
    await transfer(direct, [{ store: good, key: 'a' }]);

    const { verdicts } = await transfer(fromObject(good, 'a'), [{ store: lost, key: 'a' }]);

    expect(verdicts).toMatchObject([{ ok: true }]);
    expect((await bytesIn(lost, 'a'))?.equals(video)).toBe(true);
  });

  it('is accepted only with the SHA-256 that the caller expects', async () => {
    const video = mp4(MiB);
    const { direct } = await setting.source(video);
    const [right, wrong] = [new MemoryStorage('right'), new MemoryStorage('wrong')];

    const accepted = await transfer(direct, [{ store: right, key: 'a' }], {
      expectedSha256: sha256(video).toUpperCase(),
    });
    const refused = await transfer(direct, [{ store: wrong, key: 'a' }], { expectedSha256: sha256(mp4(MiB, 2)) });

    expect(accepted.verdicts).toMatchObject([{ ok: true }]);
    expect(refused.verdicts).toMatchObject([{ ok: false, error: { code: 'CHECKSUM_MISMATCH', scope: 'source' } }]);
    expect(wrong.leftovers()).toEqual([]);
  });
});

describe('an object that is there already', () => {
  it('is reused when it is the same, and a second run changes nothing', async () => {
    const { direct } = await setting.source(mp4(MiB));
    const targets = [
      { store: new MemoryStorage('memory'), key: 'a' },
      { store: await setting.local(), key: 'a' },
    ];
    const first = await transfer(direct, targets);

    const second = await transfer(direct, targets);

    expect(first.verdicts).toMatchObject([{ reused: false }, { reused: false }]);
    expect(second.verdicts).toMatchObject([
      { ok: true, reused: true },
      { ok: true, reused: true },
    ]);
    expect(second.content).toEqual(first.content);
  });

  it('is read back to compare it when its store knows no checksums', async () => {
    const plain = (bytes: Buffer) => put(new MemoryStorage('plain', { checksums: [] }), bytes);
    const { direct } = await setting.source(mp4(MiB));

    const same = await transfer(direct, [{ store: await plain(mp4(MiB)), key: 'a' }]);
    const other = await transfer(direct, [{ store: await plain(mp4(MiB, 2)), key: 'a' }]);

    expect(same.verdicts).toMatchObject([{ ok: true, reused: true }]);
    expect(other.verdicts).toMatchObject([{ ok: false, error: { code: 'ALREADY_EXISTS' } }]);
  });

  it('is left alone when it is another, and the error says that it differs', async () => {
    const store = await put(new MemoryStorage(), mp4(MiB, 2));
    const { direct } = await setting.source(mp4(MiB));

    const { verdicts } = await transfer(direct, [{ store, key: 'a' }]);

    expect(verdicts).toMatchObject([
      { ok: false, error: { code: 'ALREADY_EXISTS', scope: 'target', message: expect.stringContaining('sha256 is') } },
    ]);
    expect((await bytesIn(store, 'a'))?.equals(mp4(MiB, 2))).toBe(true);
  });

  it('is replaced when the target says so', async () => {
    const store = await put(new MemoryStorage(), mp4(MiB, 2));
    const { direct } = await setting.source(mp4(MiB));

    const { verdicts } = await transfer(direct, [{ store, key: 'a', overwrite: true }]);

    expect(verdicts).toMatchObject([{ ok: true, reused: false }]);
    expect((await bytesIn(store, 'a'))?.equals(mp4(MiB))).toBe(true);
  });

  async function put(store: MemoryStorage, bytes: Buffer): Promise<MemoryStorage> {
    const { direct } = await setting.source(bytes);
    await transfer(direct, [{ store, key: 'a' }]);
    return store;
  }
});

describe('progress', () => {
  it('is reported at most every 100 ms, and at the end', async () => {
    const { throughProxy, proxy } = await setting.source(mp4(MiB));
    proxy.inject({ bytesPerSecond: 3 * MiB });
    const reports: (TransferProgress & { at: number })[] = [];

    await transfer(throughProxy, [{ store: new MemoryStorage(), key: 'a' }], {
      onProgress: (progress) => reports.push({ ...progress, at: performance.now() }),
    });

    expect(reports.length).toBeGreaterThanOrEqual(3);
    expect(reports.at(-1)).toMatchObject({ bytesRead: MiB, size: MiB, targets: [{ store: 'memory', bytes: MiB }] });
    const gaps = reports.slice(1, -1).map(({ at }, index) => at - (reports[index]?.at ?? 0));
    expect(Math.min(...gaps)).toBeGreaterThan(80);
    expect(reports.map(({ bytesRead }) => bytesRead)).toEqual(
      reports.map(({ bytesRead }) => bytesRead).sort((a, b) => a - b),
    );
  });

  it('that cannot be reported ends the transfer as a defect of the caller', async () => {
    const { throughProxy, proxy } = await setting.source(mp4(MiB));
    proxy.inject({ bytesPerSecond: MiB });
    const store = new MemoryStorage();
    let calls = 0;

    const { verdicts } = await transfer(throughProxy, [{ store, key: 'a' }], {
      onProgress: () => {
        calls += 1;
        if (calls === 1) throw new Error('the page is gone');
      },
    });

    expect(verdicts).toMatchObject([{ ok: false, error: { scope: 'local', message: 'the page is gone' } }]);
    expect(store.leftovers()).toEqual([]);
  });
});

describe('a programming error', () => {
  it.each([
    { title: 'no target', targets: [] },
    { title: 'one target twice', targets: [target('a'), target('b'), target('a')] },
  ])('rejects: $title', async ({ targets }) => {
    const { direct, server } = await setting.source(mp4(5000));

    await expect(transfer(direct, targets)).rejects.toThrow(TypeError);

    expect(server.requests).toEqual([]);
  });

  it('in a key function, or in a plugin, costs only its own target', async () => {
    const { direct } = await setting.source(mp4(5000));
    const broken = withMethods(new MemoryStorage('broken'), {
      put: () => {
        throw new Error('oops');
      },
    });
    const twice = withMethods(new MemoryStorage('twice'), {
      put: async (_key, body) => {
        for await (const _ of body.chunks);
        for await (const _ of body.chunks);
        throw new Error('never reached');
      },
    });
    const good = new MemoryStorage('good');

    const { verdicts } = await transfer(direct, [
      {
        store: good,
        key: () => {
          throw new Error('no idea');
        },
      },
      { store: broken, key: 'a' },
      { store: twice, key: 'a' },
      { store: good, key: 'a' },
    ]);

    expect(verdicts).toMatchObject([
      { ok: false, error: { code: 'INTERNAL', message: 'no idea' } },
      { ok: false, store: 'broken', key: 'a', error: { code: 'INTERNAL', storage: 'broken', message: 'oops' } },
      { ok: false, error: { code: 'INTERNAL', message: expect.stringContaining('second time') } },
      { ok: true },
    ]);
  });

  function target(key: string): TransferTarget {
    return { store: new MemoryStorage(), key };
  }
});

describe('a read-only store', () => {
  it('is refused by itself and disturbs nobody', async () => {
    const { direct } = await setting.source(mp4(5000));

    const { verdicts } = await transfer(direct, [
      { store: new MemoryStorage('read-only', { write: false }), key: 'a' },
      { store: new MemoryStorage('good'), key: 'a' },
    ]);

    expect(verdicts).toMatchObject([{ ok: false, error: { code: 'UNSUPPORTED' } }, { ok: true }]);
  });
});
