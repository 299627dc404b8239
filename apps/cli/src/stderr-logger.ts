import type { LoggerService } from '@nestjs/common';
import type { Configuration } from '@paradoxon/host';
import { redactUrls } from '@paradoxon/storage';

/** Warnings and errors on standard error: standard output belongs to the command's answer. */
export class StderrLogger implements LoggerService {
  readonly #level: Configuration['logLevel'];

  constructor(level: Configuration['logLevel']) {
    this.#level = level;
  }

  log(): void {}

  warn(message: unknown): void {
    if (!['silent', 'fatal', 'error'].includes(this.#level)) this.#print('warning', message);
  }

  error(message: unknown, ...details: unknown[]): void {
    if (!['silent', 'fatal'].includes(this.#level)) this.#print('error', message, ...details.slice(0, -1));
  }

  fatal(message: unknown, ...details: unknown[]): void {
    if (this.#level !== 'silent') this.#print('error', message, ...details.slice(0, -1));
  }

  #print(level: string, ...parts: unknown[]): void {
    const text = parts.map((part) => (part instanceof Error ? (part.stack ?? part.message) : String(part))).join(' ');
    console.error(`paradoxon: ${level}: ${redactUrls(text)}`);
  }
}
