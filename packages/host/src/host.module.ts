import { type DynamicModule, Inject, Logger, Module, type OnModuleInit } from '@nestjs/common';
import { ConfigModule, ConfigService } from '@nestjs/config';
import { ExportModule } from '@paradoxon/export';
import { LocalStorageModule } from '@paradoxon/storage-local/nest';
import { ReplicateDirectModule } from '@paradoxon/storage-replicate-direct/nest';
import { fileStoreIds } from './config-file.ts';
import type { Configuration } from './configuration.ts';
import { linkKey } from './link-key.ts';
import { storeIdOf } from './stores/clouds.ts';

export interface HostOptions {
  /** Where this process serves HTTP; links and playback URLs are issued only then. */
  readonly publicUrl?: string;
  /** Take up at start what an earlier process left undone; true if absent. */
  readonly resume?: boolean;
}

/** Everything a Paradoxon process needs, as its configuration says: the stores, the database, the export. */
@Module({})
export class HostModule implements OnModuleInit {
  readonly #config: ConfigService<Configuration, true>;

  constructor(@Inject(ConfigService) config: ConfigService<Configuration, true>) {
    this.#config = config;
  }

  static async forRoot(
    configuration: Configuration,
    { publicUrl, resume = true }: HostOptions = {},
  ): Promise<DynamicModule> {
    const { sourceHosts, sourcePrivateAddresses, replicateApiToken } = configuration;
    return {
      module: HostModule,
      imports: [
        // so that any plugin's registerAsync may inject ConfigService
        ConfigModule.forRoot({ isGlobal: true, ignoreEnvFile: true, load: [() => ({ ...configuration })] }),
        ExportModule.forRoot({
          strategy: configuration.strategy,
          storages: [
            ...(await storeModules(configuration, publicUrl)),
            ReplicateDirectModule.register({
              id: 'replicate-direct',
              allowedPrivateAddresses: [...sourcePrivateAddresses],
              retentionMinutes: configuration.sourceRetentionMinutes,
              maxBytes: configuration.maxVideoBytes,
              ...(sourceHosts === undefined ? {} : { allowedHosts: [...sourceHosts] }),
              ...(replicateApiToken === undefined ? {} : { apiToken: replicateApiToken }),
            }),
          ],
          copyTo: configuration.storages,
          storageName: storeIdOf,
          database: configuration.database,
          concurrency: configuration.archiveConcurrency,
          maxBytes: configuration.maxVideoBytes,
          retentionMinutes: configuration.sourceRetentionMinutes,
          resume,
          ...(publicUrl === undefined ? {} : { publicUrl }),
        }),
      ],
    };
  }

  onModuleInit(): void {
    const addresses: Configuration['sourcePrivateAddresses'] = this.#config.get('sourcePrivateAddresses');
    if (addresses.length === 0) return;
    new Logger('Host').warn(
      `SOURCE_PRIVATE_ADDRESSES lets videos be fetched from ${addresses.join(', ')}. For tests and local runs only.`,
    );
  }
}

/** Every store that is configured, the preferred to play from first. */
async function storeModules(configuration: Configuration, publicUrl: string | undefined): Promise<DynamicModule[]> {
  const stores = new Map<string, DynamicModule>();
  for (const store of configuration.file.storages) for (const id of fileStoreIds(store)) stores.set(id, store);
  for (const [id, register] of Object.entries(configuration.clouds)) stores.set(id, await register());
  // also when films are no longer copied to it: what it holds stays playable
  if (!stores.has('local')) stores.set('local', await localStore(configuration, publicUrl));
  const inOrder = [...configuration.storages, ...stores.keys()];
  return [...new Set(inOrder.flatMap((id) => stores.get(id) ?? []))];
}

async function localStore(configuration: Configuration, publicUrl: string | undefined): Promise<DynamicModule> {
  const root = configuration.localStorageDir;
  if (publicUrl === undefined) return LocalStorageModule.register({ id: 'local', root });
  const links = { baseUrl: `${publicUrl}/v1/storages/local/objects`, key: await linkKey(configuration.dataDir) };
  return LocalStorageModule.register({ id: 'local', root, links });
}
