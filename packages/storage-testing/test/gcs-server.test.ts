import { expect, it } from '@jest/globals';
import { ask, noise, sdk, startServer } from './gcs-client.ts';

const FILM = noise(10_000);

it('keeps an object with its metadata, and says what it has', async () => {
  const server = await startServer({ anonymous: true });
  const file = sdk(server).bucket('films').file('scene 1/täke.mp4');

  await file.save(FILM, {
    resumable: false,
    metadata: { contentType: 'video/mp4', cacheControl: 'private', storageClass: 'NEARLINE', metadata: { take: '7' } },
  });

  const [resource] = await file.getMetadata();
  expect(resource).toMatchObject({
    kind: 'storage#object',
    name: 'scene 1/täke.mp4',
    bucket: 'films',
    contentType: 'video/mp4',
    cacheControl: 'private',
    storageClass: 'NEARLINE',
    metadata: { take: '7' },
    size: '10000',
    metageneration: '1',
    generation: expect.stringMatching(/^\d{16}$/),
    md5Hash: 'WoWs4QGBC9TmYDWhhTMtjg==',
    crc32c: '3JC1Mw==',
    timeCreated: expect.stringMatching(/Z$/),
  });
  const [bytes] = await file.download();
  expect(bytes.equals(FILM)).toBe(true);
});

it('gives every write a greater generation, however fast they follow', async () => {
  const server = await startServer({ anonymous: true, now: () => new Date('2026-11-22T12:00:00Z') });
  const file = sdk(server).bucket('films').file('a.mp4');

  const generations: number[] = [];
  for (const take of ['one', 'two', 'three']) {
    await file.save(take, { resumable: false });
    generations.push(Number(file.metadata.generation));
  }

  expect(generations[0]).toBe(Date.parse('2026-11-22T12:00:00Z') * 1000);
  expect(generations).toEqual([...new Set(generations)].sort((a, b) => a - b));
  expect(server.objects('films')).toHaveLength(1);
});

it('says what a download is in its headers', async () => {
  const server = await startServer({ anonymous: true });
  server.put('films', 'a.mp4', FILM, { contentType: 'video/mp4', metadata: { take: '7' } });
  const [object] = server.objects('films');

  const { status, headers, body } = await ask(`${server.endpoint}/storage/v1/b/films/o/a.mp4?alt=media`);

  expect(status).toBe(200);
  expect(body.equals(FILM)).toBe(true);
  expect(headers).toMatchObject({
    'content-type': 'video/mp4',
    'content-length': '10000',
    'x-goog-hash': 'crc32c=3JC1Mw==,md5=WoWs4QGBC9TmYDWhhTMtjg==',
    'x-goog-generation': String(object?.generation),
    'x-goog-metageneration': '1',
    'x-goog-stored-content-length': '10000',
    'x-goog-stored-content-encoding': 'identity',
    'x-goog-meta-take': '7',
    etag: expect.stringMatching(/\S/),
  });
});

it.each([
  ['bytes=0-0', 206, FILM.subarray(0, 1), 'bytes 0-0/10000'],
  ['bytes=9000-', 206, FILM.subarray(9000), 'bytes 9000-9999/10000'],
  ['bytes=9000-20000', 206, FILM.subarray(9000), 'bytes 9000-9999/10000'],
  ['bytes=-10', 206, FILM.subarray(-10), 'bytes 9990-9999/10000'],
  ['bytes=10000-', 416, Buffer.from('Request range not satisfiable'), 'bytes */10000'],
])('answers the range %s with %d', async (range, status, bytes, contentRange) => {
  const server = await startServer({ anonymous: true });
  server.put('films', 'a.mp4', FILM);

  const answer = await ask(`${server.endpoint}/storage/v1/b/films/o/a.mp4?alt=media`, { headers: { range } });

  expect(answer.status).toBe(status);
  expect(answer.body.equals(bytes)).toBe(true);
  expect(answer.headers['content-range']).toBe(contentRange);
});

it('reads ranges and tails through the SDK', async () => {
  const server = await startServer({ anonymous: true });
  server.put('films', 'a.mp4', FILM);
  const file = sdk(server).bucket('films').file('a.mp4');

  const [middle] = await file.download({ start: 100, end: 199 });
  const [tail] = await file.download({ start: 9_990 });

  expect(middle.equals(FILM.subarray(100, 200))).toBe(true);
  expect(tail.equals(FILM.subarray(9_990))).toBe(true);
  await expect(file.download({ start: 10_000 })).rejects.toMatchObject({ code: 416 });
});

it('answers 404 for an object, a version and a bucket that are not there', async () => {
  const server = await startServer({ anonymous: true });
  server.put('films', 'a.mp4', FILM);
  const films = sdk(server).bucket('films');
  const elsewhere = sdk(server).bucket('elsewhere');

  await expect(films.file('b/c.mp4').getMetadata()).rejects.toMatchObject({
    code: 404,
    errors: [{ reason: 'notFound', domain: 'global', message: 'No such object: films/b/c.mp4' }],
  });
  await expect(films.file('b/c.mp4').download()).rejects.toMatchObject({
    code: 404,
    message: 'No such object: films/b/c.mp4',
  });
  await expect(films.file('a.mp4', { generation: 5 }).getMetadata()).rejects.toMatchObject({ code: 404 });
  await expect(films.file('b/c.mp4').delete()).rejects.toMatchObject({ code: 404 });
  await expect(elsewhere.getMetadata()).rejects.toMatchObject({
    code: 404,
    errors: [{ reason: 'notFound', message: 'The specified bucket does not exist.' }],
  });
  await expect(elsewhere.file('a.mp4').save('x', { resumable: false })).rejects.toMatchObject({ code: 404 });
  await expect(elsewhere.file('a.mp4').save('x', { resumable: true })).rejects.toMatchObject({ status: 404 });
});

it('creates only if absent, replaces and deletes only what was seen', async () => {
  const server = await startServer({ anonymous: true });
  const file = sdk(server).bucket('films').file('a.mp4');
  const save = (text: string, ifGenerationMatch: number): Promise<void> =>
    file.save(text, { resumable: false, preconditionOpts: { ifGenerationMatch } });
  const refused = { code: 412, errors: [{ reason: 'conditionNotMet' }] };

  await save('first', 0);
  const generation = Number(file.metadata.generation);

  await expect(save('again', 0)).rejects.toMatchObject(refused);
  await expect(save('other', generation + 1)).rejects.toMatchObject(refused);
  await expect(file.delete({ ifGenerationMatch: generation + 1 })).rejects.toMatchObject(refused);
  expect((await file.download())[0].toString()).toBe('first');
  await save('second', generation);
  expect((await file.download())[0].toString()).toBe('second');
  await file.delete({ ifGenerationMatch: Number(file.metadata.generation) });
  expect(server.objects('films')).toEqual([]);
});

it('reads under preconditions', async () => {
  const server = await startServer({ anonymous: true });
  server.put('films', 'a.mp4', FILM);
  const generation = server.objects('films')[0]?.generation ?? 0;
  const url = `${server.endpoint}/storage/v1/b/films/o/a.mp4`;
  const status = async (condition: string): Promise<number> => (await ask(`${url}?alt=media&${condition}`)).status;

  expect(await status(`ifGenerationMatch=${generation}`)).toBe(200);
  expect(await status(`ifGenerationMatch=${generation + 1}`)).toBe(412);
  expect(await status(`ifGenerationNotMatch=${generation}`)).toBe(304);
  expect(await status(`ifGenerationNotMatch=${generation + 1}`)).toBe(200);
  expect(await status('ifMetagenerationMatch=1')).toBe(200);
  expect(await status('ifMetagenerationMatch=2')).toBe(412);
  expect(await status('ifGenerationMatch=latest')).toBe(400);
});

it('changes metadata in a new metageneration of the same generation', async () => {
  const server = await startServer({ anonymous: true });
  server.put('films', 'a.mp4', FILM, {
    contentType: 'video/mp4',
    metadata: { take: '7', mood: 'grim', lens: '35' },
  });
  const file = sdk(server).bucket('films').file('a.mp4');
  const [before] = await file.getMetadata();

  const [after] = await file.setMetadata({ cacheControl: 'private', metadata: { take: '8', mood: null } });

  expect(after).toMatchObject({
    generation: before.generation,
    metageneration: '2',
    contentType: 'video/mp4',
    cacheControl: 'private',
  });
  expect(after.metadata).toEqual({ take: '8', lens: '35' });
  expect(after.etag).not.toBe(before.etag);
  await expect(file.setMetadata({ cacheControl: 'public' }, { ifMetagenerationMatch: 1 })).rejects.toMatchObject({
    code: 412,
  });
  await ask(`${server.endpoint}/storage/v1/b/films/o/a.mp4`, { method: 'PATCH', body: '{"metadata":null}' });
  expect(server.objects('films')[0]?.metadata).toEqual({ contentType: 'video/mp4', cacheControl: 'private' });
});

it('lists 2,500 objects page by page, each once, in the order of their bytes', async () => {
  const server = await startServer({ anonymous: true });
  const names = Array.from({ length: 2_500 }, (_, index) => `scene/${String(index).padStart(4, '0')}.mp4`);
  for (const name of names.toReversed()) server.put('films', name, Buffer.from('x'));

  const [files] = await sdk(server).bucket('films').getFiles();

  expect(files.map(({ name }) => name)).toEqual(names);
  expect(server.requests.map(({ query }) => 'pageToken' in query)).toEqual([false, true, true]);
  const { body } = await ask(`${server.endpoint}/storage/v1/b/films/o?maxResults=5000`);
  expect(JSON.parse(body.toString())).toHaveProperty('items.length', 1000);
});

it('lists by prefix, by folder and in small pages', async () => {
  const server = await startServer({ anonymous: true });
  const names = ['a.mp4', 'f/', 'f/1.mp4', 'f/2/x.mp4', 'f/2/y.mp4', 'f/3.mp4', '𝒛.mp4', 'ﬀ.mp4'];
  for (const name of names) server.put('films', name, Buffer.from(name));
  const bucket = sdk(server).bucket('films');

  const [deep] = await bucket.getFiles({ prefix: 'f/2' });
  const [flat, , { prefixes }] = (await bucket.getFiles({ prefix: 'f/', delimiter: '/', autoPaginate: false })) as [
    { name: string }[],
    object,
    { prefixes?: string[] },
  ];
  const [all] = await bucket.getFiles({ maxResults: 3 });
  const [top, , second] = await bucket.getFiles({ maxResults: 2, autoPaginate: false });

  expect(deep.map(({ name }) => name)).toEqual(['f/2/x.mp4', 'f/2/y.mp4']);
  expect(flat.map(({ name }) => name)).toEqual(['f/', 'f/1.mp4', 'f/3.mp4']);
  expect(prefixes).toEqual(['f/2/']);
  expect(all).toHaveLength(3);
  expect(top.map(({ name }) => name)).toEqual(['a.mp4', 'f/']);
  expect(second).toMatchObject({ nextPageToken: expect.any(String) });
  // UTF-16 would put the surrogates of 𝒛 before ﬀ
  const [{ length }] = await bucket.getFiles();
  const [last] = (await bucket.getFiles())[0].slice(-1);
  expect([length, last?.name]).toEqual([8, '𝒛.mp4']);
});

it('says what a bucket is, and what one may do with it', async () => {
  const cors = [{ origin: ['https://films.example'], method: ['GET'], responseHeader: ['Range'], maxAgeSeconds: 60 }];
  const lifecycle = { rule: [{ action: { type: 'AbortIncompleteMultipartUpload' }, condition: { age: 7 } }] };
  const server = await startServer({
    anonymous: true,
    buckets: { films: { cors, lifecycle, location: 'EUROPE-WEST3', storageClass: 'COLDLINE' }, plain: {} },
  });
  const bucket = sdk(server).bucket('films');

  const [resource] = await bucket.getMetadata();
  const [permissions] = await bucket.iam.testPermissions(['storage.objects.get', 'storage.objects.delete']);
  await bucket.file('a.mp4').save('x', { resumable: false });

  expect(resource).toMatchObject({
    name: 'films',
    cors,
    lifecycle,
    location: 'EUROPE-WEST3',
    storageClass: 'COLDLINE',
  });
  expect(permissions).toEqual({ 'storage.objects.get': true, 'storage.objects.delete': true });
  const [object] = await bucket.file('a.mp4').getMetadata();
  expect(object.storageClass).toBe('COLDLINE');
  const [plain] = await sdk(server).bucket('plain').getMetadata();
  expect(plain).toMatchObject({ location: 'US', storageClass: 'STANDARD' });
  expect(plain).not.toHaveProperty('cors');
});

it('hands out corrupted bytes under the checksums of the right ones', async () => {
  const server = await startServer({ anonymous: true });
  server.put('films', 'a.mp4', FILM);
  server.corrupt('films', 'a.mp4');
  const file = sdk(server).bucket('films').file('a.mp4');

  const [resource] = await file.getMetadata();

  expect(resource.crc32c).toBe('3JC1Mw==');
  await expect(file.download()).rejects.toMatchObject({ code: 'CONTENT_DOWNLOAD_MISMATCH' });
  const [bytes] = await file.download({ validation: false });
  expect(bytes.filter((byte, at) => byte !== FILM[at])).toHaveLength(1);
});

it('says that it does not do what it does not do', async () => {
  const server = await startServer({ anonymous: true });
  server.put('films', 'a.mp4', FILM);

  await expect(sdk(server).bucket('films').file('a.mp4').copy('b.mp4')).rejects.toMatchObject({ code: 501 });
});
