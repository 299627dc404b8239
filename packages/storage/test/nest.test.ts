import 'reflect-metadata';
import { type DynamicModule, Global, Inject, Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { describe, expect, it } from '@jest/globals';
import { type STORAGE_API_VERSION, type StoragePlugin } from '../src/index.ts';
import { InjectStorage, storageModule, StorageModule, StorageRegistry, storageToken } from '../src/nest/index.ts';
import { MapStore } from './map-store.ts';

interface BucketOptions {
  readonly bucket: string;
}

class BucketStore extends MapStore {
  readonly bucket: string;
  constructor(id: string, options: BucketOptions) {
    super(id);
    this.bucket = options.bucket;
  }
}

@Module({})
class BucketModule extends storageModule<BucketOptions>('bucket', (id, options) => new BucketStore(id, options)) {}

/** A host that imports nothing but the stores, and what else is given. */
function start(plugins: DynamicModule[], ...more: NonNullable<DynamicModule['imports']>) {
  class Host {}
  const host: DynamicModule = { module: Host, imports: [StorageModule.forRoot(plugins), ...more] };
  return NestFactory.createApplicationContext(host, { logger: false, abortOnError: false });
}

describe('a host', () => {
  it('has two instances of one plugin under two ids, each with options of its own', async () => {
    const app = await start([
      BucketModule.register({ id: 's3-eu', bucket: 'films-eu' }),
      BucketModule.register({ id: 's3-us', bucket: 'films-us' }),
    ]);

    const registry = app.get(StorageRegistry);

    expect(registry.all().map((store) => [store.id, (store as BucketStore).bucket])).toEqual([
      ['s3-eu', 'films-eu'],
      ['s3-us', 'films-us'],
    ]);
    expect(registry.get('s3-us')).not.toBe(registry.get('s3-eu'));
    await app.close();
  });

  it('calls an instance by the name of its plugin when it gives it no id', async () => {
    const app = await start([BucketModule.register({ bucket: 'films' })]);

    expect(app.get(StorageRegistry).has('bucket')).toBe(true);
    await app.close();
  });

  it('may give options later, made of what other modules provide', async () => {
    @Global()
    @Module({ providers: [{ provide: 'CONFIG', useValue: { name: 'from-config' } }], exports: ['CONFIG'] })
    class ConfigModule {}
    class OptionsFactory {
      create(): Promise<BucketOptions> {
        return Promise.resolve({ bucket: 'from-class' });
      }
    }

    const app = await start(
      [
        BucketModule.registerAsync({
          id: 'late',
          inject: ['CONFIG'],
          useFactory: (config: { name: string }) => Promise.resolve({ bucket: config.name }),
        }),
        BucketModule.registerAsync({ id: 'by-class', useClass: OptionsFactory }),
      ],
      ConfigModule,
    );

    const registry = app.get(StorageRegistry);
    expect((registry.get('late') as BucketStore).bucket).toBe('from-config');
    expect((registry.get('by-class') as BucketStore).bucket).toBe('from-class');
    await app.close();
  });

  it('has its stores injected by id, in any module, the very ones of the registry', async () => {
    @Injectable()
    class Player {
      constructor(
        @InjectStorage('s3-us') readonly store: StoragePlugin,
        @Inject(StorageRegistry) readonly registry: StorageRegistry,
      ) {}
    }
    @Module({ providers: [Player], exports: [Player] })
    class PlayerModule {}

    const app = await start(
      [BucketModule.register({ id: 's3-eu', bucket: 'eu' }), BucketModule.register({ id: 's3-us', bucket: 'us' })],
      PlayerModule,
    );

    const { store, registry } = app.get(Player);
    expect((store as BucketStore).bucket).toBe('us');
    expect(store).toBe(registry.get('s3-us'));
    await app.close();
  });

  it('takes a plugin of a third party: any module that exports a token of a storage', async () => {
    class ForeignModule {
      static open(): DynamicModule {
        const token = storageToken('webdav');
        return {
          module: ForeignModule,
          providers: [
            { provide: token, useFactory: () => Promise.resolve(new MapStore('webdav')) },
            { provide: 'WEBDAV_CLIENT', useValue: {} },
          ],
          exports: ['WEBDAV_CLIENT', token],
        };
      }
    }

    const app = await start([ForeignModule.open(), BucketModule.register({ bucket: 'films' })]);

    expect(
      app
        .get(StorageRegistry)
        .all()
        .map(({ id }) => id),
    ).toEqual(['webdav', 'bucket']);
    await app.close();
  });

  it('may have no store at all', async () => {
    const app = await start([]);

    expect(() => app.get(StorageRegistry).get('disk')).toThrow('No storage "disk". Registered: none.');
    await app.close();
  });

  it('closes its stores when it closes', async () => {
    const app = await start([
      BucketModule.register({ id: 'a', bucket: 'a' }),
      BucketModule.register({ id: 'b', bucket: 'b' }),
    ]);
    const stores = app.get(StorageRegistry).all() as BucketStore[];

    await app.close();

    expect(stores.map(({ closed }) => closed)).toEqual([1, 1]);
  });

  it('does not start with two storages of one id, and says which', async () => {
    const starting = start([
      BucketModule.register({ id: 'a', bucket: '1' }),
      BucketModule.register({ id: 'a', bucket: '2' }),
    ]);

    await expect(starting).rejects.toMatchObject({ code: 'DUPLICATE_ID', storage: 'a', scope: 'local' });
    await expect(starting).rejects.toThrow('Two storages are called "a". Give one of them another id.');
  });

  it('does not start with a plugin made for another version of the contract, and says what to do', async () => {
    @Module({})
    class OldModule extends storageModule<object>('old', (id) =>
      Object.assign(new MapStore(id), { apiVersion: 0 as typeof STORAGE_API_VERSION }),
    ) {}

    const starting = start([OldModule.register({})]);

    await expect(starting).rejects.toMatchObject({ code: 'INVALID_CONFIG', storage: 'old' });
    await expect(starting).rejects.toThrow(
      'Storage "old" speaks contract version 0; this host speaks 1. Install a version',
    );
  });

  it.each(['', 'S3', 's3_eu', '-s3', 's3 eu', 'a'.repeat(64), '../x'])('does not start with the id %j', async (id) => {
    await expect(start([BucketModule.register({ id, bucket: 'films' })])).rejects.toMatchObject({
      code: 'INVALID_CONFIG',
      message: `"${id}" is no storage id: lower case, digits and dashes, 1 to 63.`,
    });
  });

  it('does not start when a plugin refuses its options', async () => {
    @Module({})
    class PickyModule extends storageModule<object>('picky', () => {
      throw new TypeError('bucket is missing');
    }) {}

    await expect(start([PickyModule.register({})])).rejects.toThrow('bucket is missing');
  });
});

describe('the registry', () => {
  it('takes stores at run time, and names those it has when asked for another', () => {
    const registry = new StorageRegistry([new MapStore('disk')]);
    registry.add(new MapStore('s3-us'));

    expect(registry.get('s3-us').id).toBe('s3-us');
    expect(() => registry.get('s3-eu')).toThrow(
      expect.objectContaining({
        code: 'UNKNOWN_STORAGE',
        storage: 's3-eu',
        message: 'No storage "s3-eu". Registered: disk, s3-us.',
      }),
    );
    expect(registry.has('s3-eu')).toBe(false);
  });
});
