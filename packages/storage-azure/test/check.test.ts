import { describe, expect, it, jest, afterEach } from '@jest/globals';
import type { CheckReport } from '@paradoxon/storage';
import type { AzureStorage } from '../src/index.ts';
import { everythingIn, sasFor, useAzurite } from './azurite.ts';
import { setClock } from './clock.ts';

const azurite = useAzurite();

const names = ({ steps }: CheckReport): string[] => steps.map(({ name }) => name);
/** The step that failed, and what it says. */
const failed = ({ steps }: CheckReport): string[] =>
  steps.filter(({ ok }) => !ok).map(({ name, detail }) => `${name}: ${detail}`);

async function withSas(permissions: string, more: Parameters<typeof sasFor>[3] = {}): Promise<AzureStorage> {
  const { containerName } = await azurite.container();
  const credential = sasFor(azurite.server(), containerName, permissions, more);
  return azurite.store({ container: containerName, credential });
}

afterEach(() => void jest.useRealTimers());

describe('check', () => {
  it('looks at more on each level, says what it found, and leaves nothing', async () => {
    const { store, container } = await azurite.proxied({ prefix: 'mine', accessTier: 'Cool' });

    const config = await store.check('config');
    const reach = await store.check('reach');
    const write = await store.check('write');

    const reached = ['options', 'endpoint', 'clock', 'credentials', 'container'];
    expect(names(config)).toEqual(['options']);
    expect(names(reach)).toEqual(reached);
    expect(names(write)).toEqual([
      ...reached,
      ...['write', 'look', 'read', 'create only', 'link', 'pages', 'life of links', 'delete'],
    ]);
    for (const report of [config, reach, write]) expect(failed(report)).toEqual([]);
    expect(config.steps[0]?.detail).toContain(`Container ${container.containerName} at http://127.0.0.1`);
    expect(config.steps[0]?.detail).toContain('below mine/, with the account key of devstoreaccount1');
    expect(write.steps.find(({ name }) => name === 'pages')?.detail).toContain('az storage cors add');
    expect(await everythingIn(container)).toEqual([]);
  });

  it('gives four wrong settings four answers that say what to change', async () => {
    const readOnly = await withSas('rl');
    const missing = await azurite.store({ container: 'never-made' });
    const nowhere = await azurite.store({ accountUrl: 'http://127.0.0.1:9/devstoreaccount1' });
    const store = await azurite.store();

    const reports = [await readOnly.check('write'), await missing.check('write'), await nowhere.check('write')];
    setClock(Date.now() + 20 * 60_000);
    reports.push(await store.check('write'));

    const answers = reports.map((report) => failed(report)[0]);
    expect(answers).toEqual([
      expect.stringMatching(/^credentials: .*lacks w \(write\) and d \(delete\).*generate-sas/),
      expect.stringMatching(
        /^container: .*container never-made.*does not have this container.*az storage container create/,
      ),
      expect.stringMatching(/^endpoint: Nothing answers at http:\/\/127.0.0.1:9 .*accountUrl/),
      expect.stringMatching(/^clock: .*120\d s ahead of the server's.*NTP/),
    ]);
    expect(reports.map(({ ok }) => ok)).toEqual([false, false, false, false]);
  });

  it('is content with a read-only SAS token where nothing is to be written', async () => {
    const { ok, steps } = await (await withSas('rl')).check('reach');

    expect(ok).toBe(true);
    expect(steps.find(({ name }) => name === 'credentials')?.detail).toMatch(/^A SAS token, until 20/);
  });

  it('says that a key is wrong', async () => {
    const store = await azurite.store({ credential: Buffer.alloc(64, 1).toString('base64') });

    expect(failed(await store.check('reach'))).toEqual([
      expect.stringMatching(/^container: .*does not accept the credentials/),
    ]);
  });

  it.each([
    { what: 'has ended', credential: 'sv=1&sr=c&sp=rwdl&se=2020-01-01T00:00:00Z&sig=YQ', says: 'ended at 2020-01-01' },
    { what: 'begins later', credential: 'sv=1&sr=c&sp=rwdl&st=2120-01-01T00:00:00Z&sig=YQ', says: 'begins at 2120' },
    { what: 'is for one blob', credential: 'sv=1&sr=b&sp=rwdl&sig=YQ', says: 'not for a container (sr=b' },
    { what: 'is for queues', credential: 'sv=1&ss=q&srt=co&sp=rwdl&sig=YQ', says: 'not for blobs (ss=q)' },
    { what: 'is for objects only', credential: 'sv=1&ss=b&srt=o&sp=rwdl&sig=YQ', says: 'srt=o, not srt=co' },
    { what: 'is for https', credential: 'sv=1&sr=c&spr=https&sp=rwdl&sig=YQ', says: 'accountUrl is http' },
    { what: 'may not list', credential: 'sv=1&sr=c&sp=rwd&sig=YQ', says: 'lacks l (list): it has sp=rwd' },
  ])('says of a SAS token that it $what, before it is tried', async ({ credential, says }) => {
    const store = await azurite.store({ credential });

    const report = await store.check('reach');

    expect(names(report).at(-1)).toBe('credentials');
    expect(failed(report)).toEqual([expect.stringContaining(says)]);
  });

  it('leaves it to Azure what a stored access policy allows', async () => {
    const store = await azurite.store({ credential: 'sv=1&sr=c&si=policy&sig=YQ' });

    const report = await store.check('reach');

    expect(report.steps.find(({ name }) => name === 'credentials')).toMatchObject({ ok: true });
    expect(failed(report)).toEqual([expect.stringContaining('container: ')]);
  });

  it('finds no links, and does not miss them, with a SAS token', async () => {
    const report = await (await withSas('rwdl')).check('write');

    expect(failed(report)).toEqual([]);
    expect(names(report)).not.toContain('link');
  });

  it('rejects only when it is aborted', async () => {
    const store = await azurite.store();

    await expect(store.check('write', { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'ABORTED' });
  });
});
