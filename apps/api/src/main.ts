import 'reflect-metadata';
import { existsSync } from 'node:fs';
import { type Configuration, loadConfiguration } from '@paradoxon/host';
import { createApi } from './create-api.ts';

if (existsSync('.env')) process.loadEnvFile('.env');

let app: Awaited<ReturnType<typeof createApi>>['app'] | undefined;
try {
  const configuration = await loadConfiguration(process.env);
  const api = await createApi(configuration);
  app = api.app;
  await listen(api, configuration.host);
  console.log(`Paradoxon listens on ${api.url} · API at ${api.url}/docs · data in ${configuration.dataDir}`);
} catch (error) {
  // what an operator can mend is said in words; a stack helps only with our own defects
  console.error(error instanceof Error && 'code' in error ? error.message : error);
  // the embedded database would outlive the process
  await app?.close();
  process.exit(1);
}

async function listen({ app, url }: Awaited<ReturnType<typeof createApi>>, host: Configuration['host']): Promise<void> {
  const port = Number(new URL(url).port || 80);
  try {
    await app.listen(port, host);
  } catch (error) {
    const reason = { EADDRINUSE: 'is in use', EACCES: 'needs rights that this user does not have' };
    const code = (error as NodeJS.ErrnoException).code ?? '';
    if (code !== 'EADDRINUSE' && code !== 'EACCES') throw error;
    const message = `Port ${port} of ${host} ${reason[code]}: stop what uses it, or set PORT to another one (0 takes a free one).`;
    throw Object.assign(new Error(message, { cause: error }), { code });
  }
}
