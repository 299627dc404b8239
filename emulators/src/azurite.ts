import type { AzuriteSettings } from './azurite-script.ts';
import { makeCertificate } from './certificate.ts';
import { dataFolder } from './data-folder.ts';
import { type Emulator, type EmulatorOptions, startEmulator } from './emulator.ts';
import { startServer } from './server-process.ts';

export interface AzuriteOptions extends EmulatorOptions {
  /**
   * Speaks https with a certificate of its own, and accepts bearer tokens beside the account key: any JWT of the right shape,
   * whoever signed it. So user delegation keys can be asked for. Needs the `openssl` program.
   */
  readonly oauth?: boolean;
}

export interface AzureEmulator extends Emulator {
  readonly accountName: string;
  /** Base64, as in a connection string. */
  readonly accountKey: string;
  /** With `oauth`: the certificate to trust, PEM. */
  readonly ca?: string;
}

/** The account that every Azurite has: https://learn.microsoft.com/azure/storage/common/storage-use-azurite */
const ACCOUNT_NAME = 'devstoreaccount1';
const ACCOUNT_KEY = 'Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==';

/**
 * Azure Blob Storage by Azurite, Microsoft's own emulator, with its data on disk.
 *
 * @throws Error when the npm servers are not installed, or the server does not come up
 */
export async function startAzurite(options: AzuriteOptions = {}): Promise<AzureEmulator> {
  const folder = await dataFolder('azurite', options.folder);
  let ca: string | undefined;
  const emulator = await startEmulator(
    async (port) => {
      const tls = options.oauth ? await makeCertificate(folder.path) : undefined;
      ca = tls?.ca;
      const settings: AzuriteSettings = { port, folder: folder.path, ...(tls && { tls }) };
      return startServer('Azurite', 'azurite-script', settings);
    },
    folder.discard,
    options.port,
  );
  return {
    ...emulator,
    endpoint: `${ca === undefined ? 'http' : 'https'}://127.0.0.1:${emulator.port}/${ACCOUNT_NAME}`,
    accountName: ACCOUNT_NAME,
    accountKey: ACCOUNT_KEY,
    ...(ca !== undefined && { ca }),
  };
}
