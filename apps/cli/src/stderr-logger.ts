import type { LoggerService } from '@nestjs/common';
import { redactUrls } from '@paradoxon/storage';

/** Warnings and errors on standard error: standard output belongs to the command's answer. */
export class StderrLogger implements LoggerService {
  log(): void {}

  warn(message: unknown): void {
    this.#print('warning', message);
  }

  error(message: unknown, ...details: unknown[]): void {
    this.#print('error', message, ...details.slice(0, -1));
  }

  fatal(message: unknown, ...details: unknown[]): void {
    this.error(message, ...details);
  }

  #print(level: string, ...parts: unknown[]): void {
    const text = parts.map((part) => (part instanceof Error ? (part.stack ?? part.message) : String(part))).join(' ');
    console.error(`paradoxon: ${level}: ${redactUrls(text)}`);
  }
}
