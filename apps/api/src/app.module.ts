import { type DynamicModule, Module } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import { type Configuration, HostModule } from '@paradoxon/host';
import { LoggerModule } from 'nestjs-pino';
import { FilmsController } from './films/films.controller.ts';
import { HealthController } from './health/health.controller.ts';
import { HttpShutdown } from './http-shutdown.ts';
import { logOptions } from './log-options.ts';
import { ObjectsController } from './playback/objects.controller.ts';
import { VideoController } from './playback/video.controller.ts';

@Module({})
export class AppModule {
  static async forRoot(configuration: Configuration, publicUrl: string): Promise<DynamicModule> {
    return {
      module: AppModule,
      imports: [
        LoggerModule.forRoot({ pinoHttp: logOptions(configuration.logLevel) }),
        await HostModule.forRoot(configuration, { publicUrl }),
        // what it would log is what it answers
        TerminusModule.forRoot({ logger: false }),
      ],
      controllers: [FilmsController, VideoController, ObjectsController, HealthController],
      providers: [HttpShutdown],
    };
  }
}
