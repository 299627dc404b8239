import { describe, expect, it } from '@jest/globals';
import type { StoragePlugin } from '@paradoxon/storage';
import { describeStoragePlugin, storageContract, type StorageHarness } from '@paradoxon/storage-testing';
import { ID, type Setting, startSetting, VIDEO } from './setting.ts';

const settings = new Map<StoragePlugin, Setting>();

function settingOf(plugin: StoragePlugin): Setting {
  const setting = settings.get(plugin);
  if (!setting) throw new Error('not a plugin of this harness');
  return setting;
}

const harness = (sampleKey: (setting: Setting) => string): StorageHarness => ({
  supports: {
    expiring: true,
    range: true,
    ifMatch: true,
    signedUrl: { maxTtlSeconds: 3600 },
    checksums: ['md5', 'crc32c'],
    maxObjectBytes: 2 * 1024 ** 3,
  },
  create: async () => {
    const setting = await startSetting();
    setting.succeed(setting.files.url('/czjl/output.mp4'));
    settings.set(setting.store, setting);
    return setting.store;
  },
  destroy: (plugin) => settingOf(plugin).close(),
  sample: (plugin) => Promise.resolve({ key: sampleKey(settingOf(plugin)), bytes: VIDEO }),
  absentKey: 'nosuchpredictionatreplicat',
});

describeStoragePlugin(
  'replicate-direct, by prediction id,',
  harness(() => ID),
);

describe('replicate-direct, by URL, keeps the storage contract', () => {
  const cases = storageContract(harness((setting) => setting.files.url('/czjl/output.mp4')));
  // nobody knows the age of a bare URL: no deadline is better than an invented one
  const exception = /will disappear by itself/;

  it.each(cases.filter(({ title }) => !exception.test(title)))('$title', ({ run }) => run());

  it('but for one promise', () => {
    expect(cases.filter(({ title }) => exception.test(title))).toHaveLength(1);
  });
});
