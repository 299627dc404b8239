import { ReplicateDirectStorage, type ReplicateDirectOptions } from '../src/index.ts';
import { type SourceServer, startSourceServer } from '@paradoxon/storage-testing';
import { type FakeReplicate, startFakeReplicate } from './fake-replicate.ts';

export const TOKEN = 'r8_PLANTEDTOKEN';
export const ID = '15eyanar9xrg80ckd3ytdz0hhr';
/** The MP4 box that a video starts with, then bytes that tell their place. */
export const VIDEO = Buffer.concat([
  Buffer.from('00000018667479706d703432000000006d70343269736f6d', 'hex'),
  Buffer.from(Array.from({ length: 200_000 }, (_, index) => (index * 7 + (index >> 8)) % 251)),
]);

/** Replicate's API and its file host, and a store that reads from them. */
export interface Setting {
  readonly api: FakeReplicate;
  readonly files: SourceServer;
  readonly store: ReplicateDirectStorage;
  /** Another store over the same two servers. */
  open(options?: ReplicateDirectOptions): ReplicateDirectStorage;
  openWithoutToken(): ReplicateDirectStorage;
  /** Makes prediction `id` one that succeeded a minute ago. */
  succeed(output: unknown, fields?: Record<string, unknown>): Date;
  close(): Promise<void>;
}

export async function startSetting(): Promise<Setting> {
  const api = await startFakeReplicate(TOKEN);
  const files = await startSourceServer({ files: { '/czjl/output.mp4': VIDEO, '/czjl/second.mp4': VIDEO } });
  const stores: ReplicateDirectStorage[] = [];
  const local = { apiUrl: api.origin, allowedPrivateAddresses: ['127.0.0.1'] };
  const opened = (options: ReplicateDirectOptions): ReplicateDirectStorage => {
    const store = new ReplicateDirectStorage('direct', options);
    stores.push(store);
    return store;
  };
  const open = (options: ReplicateDirectOptions = {}) => opened({ apiToken: TOKEN, ...local, ...options });
  return {
    api,
    files,
    store: open(),
    open,
    openWithoutToken: () => opened(local),
    succeed: (output, fields = {}) => {
      const created = new Date(Date.now() - 60_000);
      api.predictions.set(ID, {
        id: ID,
        status: 'succeeded',
        input: { prompt: 'a cat' },
        output,
        error: null,
        data_removed: false,
        created_at: created.toISOString(),
        ...fields,
      });
      return created;
    },
    close: async () => {
      await Promise.all(stores.map((store) => store.close()));
      await Promise.all([api.close(), files.close()]);
    },
  };
}
