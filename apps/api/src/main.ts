import 'reflect-metadata';
import { existsSync } from 'node:fs';
import { parseConfiguration } from '@paradoxon/host';
import { createApi } from './create-api.ts';

if (existsSync('.env')) process.loadEnvFile('.env');

try {
  const configuration = parseConfiguration(process.env);
  const { app, url } = await createApi(configuration);
  await app.listen(Number(new URL(url).port), configuration.host);
  console.log(`Paradoxon listens on ${url} · API at ${url}/docs · data in ${configuration.dataDir}`);
} catch (error) {
  // what an operator can mend is said in words; a stack helps only with our own defects
  console.error(error instanceof Error && 'code' in error ? error.message : error);
  process.exit(1);
}
