export { type ConfigFile } from './config-file.ts';
export { type Configuration, environmentSchema, parseConfiguration } from './configuration.ts';
export { loadConfiguration } from './load-configuration.ts';
export { ConfigurationError } from './configuration-error.ts';
export { HostModule, type HostOptions } from './host.module.ts';
