import { Controller, Get, Inject } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { HealthCheck, HealthCheckService, HealthIndicatorService } from '@nestjs/terminus';
import { type Database, DATABASE } from '@paradoxon/export';
import { StorageRegistry } from '@paradoxon/storage/nest';

@ApiTags('operations')
@Controller('health')
export class HealthController {
  readonly #health: HealthCheckService;
  readonly #indicator: HealthIndicatorService;
  readonly #database: Database;
  readonly #registry: StorageRegistry;

  constructor(
    @Inject(HealthCheckService) health: HealthCheckService,
    @Inject(HealthIndicatorService) indicator: HealthIndicatorService,
    @Inject(DATABASE) database: Database,
    @Inject(StorageRegistry) registry: StorageRegistry,
  ) {
    this.#health = health;
    this.#indicator = indicator;
    this.#database = database;
    this.#registry = registry;
  }

  /** The process answers. */
  @Get('live')
  live(): { status: 'ok' } {
    return { status: 'ok' };
  }

  /** The database answers and every store can be written to; tells them apart. */
  @Get('ready')
  @HealthCheck()
  ready() {
    const stores = this.#registry.all().filter((store) => store.capabilities.write);
    return this.#health.check([
      async () => {
        const database = this.#indicator.check('database');
        const [answer] = await Promise.allSettled([this.#database.pool.query('select 1')]);
        return answer.status === 'fulfilled' ? database.up() : database.down('The database does not answer.');
      },
      ...stores.map((store) => async () => {
        const report = await store.check('reach');
        const indicator = this.#indicator.check(`storage:${store.id}`);
        const failed = report.steps.filter((step) => !step.ok);
        return report.ok ? indicator.up() : indicator.down({ failed });
      }),
    ]);
  }
}
