import { Writable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type INestApplicationContext, Logger as NestLogger, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Logger, LoggerModule } from 'nestjs-pino';
import { logOptions } from '../src/log-options.ts';

interface Line {
  readonly msg?: string;
  readonly context?: string;
  readonly err?: { message: string; code?: string; stack: string; cause?: { message: string; code?: string } };
}

@Module({})
class Host {}

const lines: Line[] = [];
let host: INestApplicationContext;
beforeAll(async () => {
  const stream = new Writable({
    write(chunk, _, done) {
      lines.push(JSON.parse(String(chunk)) as Line);
      done();
    },
  });
  const imports = [LoggerModule.forRoot({ pinoHttp: [logOptions('info'), stream] })];
  host = await NestFactory.createApplicationContext({ module: Host, imports }, { bufferLogs: true });
  host.useLogger(host.get(Logger));
});
afterAll(() => host.close());

const failure = () =>
  Object.assign(
    new Error('reading https://h/a.mp4?token=SECRET failed', {
      cause: Object.assign(new Error('https://h/a.mp4?token=SECRET hung up'), { code: 'ECONNRESET' }),
    }),
    { code: 'NETWORK' },
  );

describe('an error in the log has message, code, stack and cause, without signed queries, when it is given', () => {
  it.each<{ title: string; log: () => void; text?: string }>([
    { title: 'alone', log: () => new NestLogger('Test').error(failure()) },
    { title: 'after a text', log: () => new NestLogger('Test').error('Alas.', failure()), text: 'Alas.' },
    { title: 'as a warning', log: () => new NestLogger('Test').warn('Alas.', failure()), text: 'Alas.' },
    { title: 'without a context', log: () => new NestLogger().error('Alas.', failure()), text: 'Alas.' },
  ])('$title', ({ log, text }) => {
    lines.length = 0;

    log();

    expect(lines).toHaveLength(1);
    expect(lines[0]?.err).toMatchObject({
      message: 'reading https://h/a.mp4?… failed',
      code: 'NETWORK',
      stack: expect.stringContaining('log-options.test.ts'),
      cause: { message: 'https://h/a.mp4?… hung up', code: 'ECONNRESET' },
    });
    if (text !== undefined) expect(lines[0]?.msg).toBe(text);
    expect(JSON.stringify(lines)).not.toContain('SECRET');
  });
});
