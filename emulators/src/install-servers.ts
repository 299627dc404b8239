import { ensureServers } from './installation.ts';

await ensureServers();
