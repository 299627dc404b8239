import { type DynamicModule, Module } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import { type Configuration, HostModule } from '@paradoxon/host';
import { redactUrls } from '@paradoxon/storage';
import { LoggerModule } from 'nestjs-pino';
import { FilmsController } from './films/films.controller.ts';
import { HealthController } from './health/health.controller.ts';
import { ObjectsController } from './playback/objects.controller.ts';
import { VideoController } from './playback/video.controller.ts';

@Module({})
export class AppModule {
  static async forRoot(configuration: Configuration, publicUrl: string): Promise<DynamicModule> {
    return {
      module: AppModule,
      imports: [
        logging(configuration.logLevel),
        await HostModule.forRoot(configuration, { publicUrl }),
        TerminusModule,
      ],
      controllers: [FilmsController, VideoController, ObjectsController, HealthController],
    };
  }
}

interface LoggedRequest {
  readonly id: unknown;
  readonly method: string;
  readonly url: string;
}

/** One line a request, without headers; signed queries never reach it. */
function logging(level: string): DynamicModule {
  return LoggerModule.forRoot({
    pinoHttp: {
      level,
      serializers: {
        req: ({ id, method, url }: LoggedRequest) => ({ id, method, url: url.split('?')[0] }),
        res: ({ statusCode }: { statusCode: number }) => ({ statusCode }),
        err: (error: Error & { code?: unknown }) => ({
          type: error.name,
          code: error.code,
          message: redactUrls(error.message),
          stack: redactUrls(error.stack ?? ''),
        }),
      },
      hooks: {
        logMethod(args, method) {
          const clean = args.map((arg: unknown) => (typeof arg === 'string' ? redactUrls(arg) : arg));
          method.apply(this, clean as Parameters<typeof method>);
        },
      },
      autoLogging: { ignore: (request) => request.url?.startsWith('/health') ?? false },
    },
  });
}
