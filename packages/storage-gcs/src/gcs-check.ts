import type { CheckLevel, CheckReport, StoragePlugin } from '@paradoxon/storage';
import { checkEndpoint, CheckRun, checkWithCanary } from '@paradoxon/storage/plugin';
import { z } from 'zod';
import type { GcsClient } from './gcs-client.ts';
import { describeCredentials } from './gcs-credentials.ts';
import type { GcsCall } from './gcs-errors.ts';
import type { GcsSettings } from './gcs-options.ts';

const listing = z.object({ items: z.array(z.object({ name: z.string() })).optional() });

/** Each level does what the levels before it do. @throws StorageError `ABORTED`, nothing else */
export async function checkBucket(
  store: StoragePlugin,
  client: GcsClient,
  settings: GcsSettings,
  call: GcsCall,
  level: CheckLevel,
  signal?: AbortSignal,
): Promise<CheckReport> {
  const run = new CheckRun(signal);
  await run.step('options', () => {
    const place = `gs://${settings.bucket}/${settings.prefix}`;
    return `Objects are in ${place} at ${client.endpoint}; credentials: ${credentialsInWords(client, settings)}.`;
  });
  if (
    level !== 'config' &&
    (await checkEndpoint(run, client.endpoint, 'the option endpoint')) &&
    (await run.step('credentials', () => lookAtCredentials(client, call, signal))) &&
    (await run.step('bucket', () => lookAtBucket(client, settings, call, signal))) &&
    level === 'write'
  ) {
    await checkWithCanary(store, run, {
      corsAdvice: `Give the bucket CORS: gcloud storage buckets update gs://${settings.bucket} --cors-file=cors.json`,
    });
  }
  return run.report();
}

function credentialsInWords(client: GcsClient, settings: GcsSettings): string {
  return client.emulated ? 'none, because STORAGE_EMULATOR_HOST is set' : describeCredentials(settings);
}

async function lookAtCredentials(client: GcsClient, call: GcsCall, signal?: AbortSignal): Promise<string> {
  if (client.emulated) return 'None are sent to an emulator.';
  const auth = await client.authWork(call, signal, client.auth.getClient());
  await client.authWork(call, signal, auth.getAccessToken());
  const until = auth.credentials.expiry_date;
  // whose they are is not known of every kind: a login of gcloud does not say
  const { client_email: email } = await client.auth.getCredentials().catch(() => ({ client_email: undefined }));
  const whose = email === undefined ? 'There is a token' : `There is a token for ${email}`;
  return until ? `${whose}, until ${new Date(until).toISOString()}; it is renewed by itself.` : `${whose}.`;
}

async function lookAtBucket(
  client: GcsClient,
  { prefix }: GcsSettings,
  call: GcsCall,
  signal?: AbortSignal,
): Promise<string> {
  const url = client.objectUrl(undefined, { prefix: prefix || undefined, maxResults: '1', fields: 'items(name)' });
  const { items = [] } = await client.ask(call, { method: 'GET', url, signal }, listing);
  return `It exists and may be listed; ${items.length === 0 ? 'there is nothing in it yet' : 'there are objects in it'}.`;
}
