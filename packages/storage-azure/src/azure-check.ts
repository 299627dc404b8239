import type { CheckLevel, CheckReport, StoragePlugin } from '@paradoxon/storage';
import { checkEndpoint, CheckRun, checkWithCanary } from '@paradoxon/storage/plugin';
import type { AzureClients } from './azure-clients.ts';
import type { AzureAccess } from './azure-credentials.ts';
import type { AzureCall } from './azure-errors.ts';
import type { AzureSettings } from './azure-options.ts';
import { request } from './azure-request.ts';
import { inspectSas } from './sas-token.ts';

const SCOPE = 'https://storage.azure.com/.default';

/** Each level does what the levels before it do; what makes no sense after a step that failed is not tried. */
export async function checkAzure(
  store: StoragePlugin,
  { access, container, prefix, accessTier }: AzureSettings,
  clients: AzureClients,
  call: AzureCall,
  level: CheckLevel,
  signal?: AbortSignal,
): Promise<CheckReport> {
  const run = new CheckRun(signal);
  await run.step('options', () => {
    const below = prefix === '' ? '' : `, below ${prefix}`;
    const tier = accessTier === undefined ? '' : `; new objects go to the ${accessTier} tier`;
    return `Container ${container} at ${access.accountUrl}${below}, with ${describe(access)}${tier}.`;
  });
  if (level === 'config' || !(await checkEndpoint(run, access.accountUrl, 'accountUrl'))) return run.report();
  if (!(await run.step('credentials', () => credentials(access, call, level, signal)))) return run.report();
  const usable = await run.step('container', async () => {
    const blobs = clients.container.listBlobsFlat({ prefix, ...(signal ? { abortSignal: signal } : {}) });
    await request(call, signal, () => blobs.byPage({ maxPageSize: 1 }).next());
    return 'It exists and may be listed.';
  });
  if (usable && level === 'write') await checkWithCanary(store, run, { corsAdvice: corsAdvice(access.accountName) });
  return run.report();
}

function describe(access: AzureAccess): string {
  if (access.kind === 'key') return `the account key of ${access.accountName}`;
  if (access.kind === 'sas') return 'a SAS token';
  return access.isDefault ? 'whatever DefaultAzureCredential finds' : 'a TokenCredential';
}

async function credentials(
  access: AzureAccess,
  call: AzureCall,
  level: CheckLevel,
  signal?: AbortSignal,
): Promise<string> {
  if (access.kind === 'key') return `The account key of ${access.accountName}. It does not end by itself.`;
  if (access.kind === 'sas') return inspectSas(access.sas, access.accountUrl, level);
  const token = await request(call, signal, () => access.token.getToken(SCOPE));
  if (!token) throw new Error('The TokenCredential has no token.');
  return `A token for ${bearer(token.token)}, until ${new Date(token.expiresOnTimestamp).toISOString()}.`;
}

/** Whom a token names; whether that is true only Azure can tell. */
function bearer(token: string): string {
  try {
    const claims = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as Record<
      string,
      unknown
    >;
    const name = claims['upn'] ?? claims['preferred_username'] ?? claims['appid'] ?? claims['oid'];
    return typeof name === 'string' ? name : 'an identity that it does not name';
  } catch {
    // not every token is one that clients can read
    return 'an identity that it does not name';
  }
}

function corsAdvice(accountName: string): string {
  return (
    `If they should: az storage cors add --services b --methods GET HEAD OPTIONS --origins 'https://your.page' ` +
    `--allowed-headers range --exposed-headers '*' --max-age 3600 --account-name ${accountName}`
  );
}
