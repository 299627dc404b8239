import { type DynamicModule, Inject, Logger, Module, type OnModuleInit } from '@nestjs/common';
import { ConfigModule, ConfigService } from '@nestjs/config';
import { ExportModule } from '@paradoxon/export';
import { LocalStorageModule } from '@paradoxon/storage-local/nest';
import { ReplicateDirectModule } from '@paradoxon/storage-replicate-direct/nest';
import type { Configuration } from './configuration.ts';
import { linkKey } from './link-key.ts';

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
    const stores: Record<Configuration['storages'][number], DynamicModule> = {
      local: LocalStorageModule.register({
        id: 'local',
        root: configuration.localStorageDir,
        ...(publicUrl === undefined
          ? {}
          : {
              links: { baseUrl: `${publicUrl}/v1/storages/local/objects`, key: await linkKey(configuration.dataDir) },
            }),
      }),
    };
    return {
      module: HostModule,
      imports: [
        // so that any plugin's registerAsync may inject ConfigService
        ConfigModule.forRoot({ isGlobal: true, ignoreEnvFile: true, load: [() => ({ ...configuration })] }),
        ExportModule.forRoot({
          strategy: configuration.strategy,
          storages: [
            ...configuration.storages.map((id) => stores[id]),
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
