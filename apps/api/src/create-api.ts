import { createServer } from 'node:net';
import { StandardSchemaValidationPipe } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { DocumentBuilder, SwaggerModule } from '@nestjs/swagger';
import type { Configuration } from '@paradoxon/host';
import { Logger } from 'nestjs-pino';
import { AppModule } from './app.module.ts';
import { refuseForeign } from './foreign-requests.ts';
import { jsonOnly } from './json-only.ts';
import { ProblemFilter } from './problem.filter.ts';

/** The service, ready to listen on the returned URL's port. */
export async function createApi(configuration: Configuration): Promise<{ app: NestExpressApplication; url: string }> {
  const { host } = configuration;
  // links carry the port, so it must be known before anything is made
  const port = configuration.port === 0 ? await freePort(host) : configuration.port;
  const url = `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
  const app = await NestFactory.create<NestExpressApplication>(
    await AppModule.forRoot(configuration, configuration.publicUrl ?? url),
    // an error at start is thrown to main, which says it in words: neither process.abort() nor Nest's own dump of it
    { bufferLogs: true, autoFlushLogs: false, abortOnError: false, bodyParser: false },
  );
  app.useLogger(app.get(Logger));
  app.flushLogs();
  app.use(refuseForeign(url, configuration.publicUrl), jsonOnly);
  app.useBodyParser('json', { limit: '2mb' });
  app.disable('x-powered-by');
  app.useGlobalPipes(new StandardSchemaValidationPipe());
  app.useGlobalFilters(new ProblemFilter());
  app.enableShutdownHooks();
  const document = new DocumentBuilder()
    .setTitle('Paradoxon')
    .setDescription('Every scene of every film stays playable.')
    .setVersion('0.1.0')
    .build();
  SwaggerModule.setup('docs', app, () => SwaggerModule.createDocument(app, document));
  return { app, url };
}

async function freePort(host: string): Promise<number> {
  const server = createServer().listen(0, host);
  await new Promise((resolve, reject) => server.once('listening', resolve).once('error', reject));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error(`no free port on ${host}`);
  return address.port;
}
