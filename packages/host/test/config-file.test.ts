import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { NestFactory } from '@nestjs/core';
import { expect, it } from '@jest/globals';
import { StorageRegistry } from '@paradoxon/storage/nest';
import { HostModule, loadConfiguration } from '../src/index.ts';

const local = pathToFileURL(join(import.meta.dirname, '../../storage-local/src/nest.ts')).href;

/** Two stores of one plugin. */
const TWO_DISKS = `import { LocalStorageModule } from '${local}';
     export default { storages: [
       LocalStorageModule.register({ id: 'disk-a', root: '/tmp/a' }),
       LocalStorageModule.register({ id: 'disk-b', root: '/tmp/b' }),
     ] };`;

async function file(text: string): Promise<string> {
  const path = join(await mkdtemp(join(tmpdir(), 'paradoxon-config-')), 'paradoxon.config.mjs');
  await writeFile(path, text);
  return path;
}

it('adds stores in code, which films are copied to unless STORAGES says otherwise', async () => {
  const PARADOXON_CONFIG = await file(TWO_DISKS);

  expect((await loadConfiguration({ PARADOXON_CONFIG })).storages).toEqual(['disk-a', 'disk-b']);
  expect((await loadConfiguration({ PARADOXON_CONFIG, STORAGES: 'disk-b' })).storages).toEqual(['disk-b']);
  await expect(loadConfiguration({ PARADOXON_CONFIG, STORAGES: 'disk-c' })).rejects.toThrow(
    'there is no store disk-c. Configured are disk-a, disk-b, local',
  );
});

it('gives a host every store, the preferred first, and the local one always', async () => {
  const PARADOXON_CONFIG = await file(TWO_DISKS);
  const DATA_DIR = await mkdtemp(join(tmpdir(), 'paradoxon-data-'));
  const configuration = await loadConfiguration({ PARADOXON_CONFIG, DATA_DIR, STORAGES: 'disk-b' });

  const host = await NestFactory.createApplicationContext(await HostModule.forRoot(configuration), {
    logger: false,
    abortOnError: false,
  });

  try {
    const stores = host.get(StorageRegistry).all();
    expect(stores.map(({ id }) => id)).toEqual(['disk-b', 'disk-a', 'local', 'replicate-direct']);
    expect(stores.slice(0, 2).map((store) => store.locate('x'))).toEqual(['file:///tmp/b/x', 'file:///tmp/a/x']);
  } finally {
    await host.close();
  }
});

it.each([
  { text: 'export default { stores: [] };', says: 'must export default { storages:' },
  { text: 'export default { storages: [{}] };', says: 'must export default { storages:' },
  { text: 'export const storages = [];', says: 'must export default { storages:' },
  { text: "import 'not-installed';", says: 'cannot be loaded' },
  {
    text: `import { LocalStorageModule } from '${local}';
      const store = LocalStorageModule.register({ id: 'disk', root: '/tmp/a' });
      export default { storages: [store, store] };`,
    says: 'has several stores disk: give each an id of its own.',
  },
])('a file that is no configuration is refused: $says', async ({ text, says }) => {
  const PARADOXON_CONFIG = await file(text);

  await expect(loadConfiguration({ PARADOXON_CONFIG })).rejects.toThrow(says);
  await expect(loadConfiguration({ PARADOXON_CONFIG })).rejects.toThrow(PARADOXON_CONFIG);
});

it('a file that is named and is not there is an error; without a name it may be absent', async () => {
  await expect(loadConfiguration({ PARADOXON_CONFIG: '/nowhere/paradoxon.config.mjs' })).rejects.toThrow('/nowhere/');
  expect((await loadConfiguration({})).file).toEqual({ storages: [] });
});

it('a store of the file and one of the environment cannot have one id', async () => {
  const PARADOXON_CONFIG = await file(
    `import { LocalStorageModule } from '${local}';
     export default { storages: [LocalStorageModule.register({ id: 's3', root: '/tmp/a' })] };`,
  );

  await expect(
    loadConfiguration({ PARADOXON_CONFIG, AWS_S3_BUCKET: 'films', AWS_REGION: 'eu-central-1' }),
  ).rejects.toThrow('paradoxon.config.mjs has a store s3, too: AWS_S3_BUCKET is set.');
  expect((await loadConfiguration({ PARADOXON_CONFIG, STORAGES: 'aws_s3' })).storages).toEqual(['s3']);
});
