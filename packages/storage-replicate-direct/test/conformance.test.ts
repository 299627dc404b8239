import type { StoragePlugin } from '@paradoxon/storage';
import { describeStoragePlugin, type StorageHarness } from '@paradoxon/storage-testing';
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

describeStoragePlugin(
  'replicate-direct, by URL,',
  harness((setting) => setting.files.url('/czjl/output.mp4')),
);
