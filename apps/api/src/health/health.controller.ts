import { Controller, Get, Inject, ServiceUnavailableException } from '@nestjs/common';
import { ApiOkResponse, ApiServiceUnavailableResponse, ApiTags } from '@nestjs/swagger';
import {
  HealthCheck,
  type HealthCheckResult,
  HealthCheckService,
  type HealthIndicatorResult,
  HealthIndicatorService,
} from '@nestjs/terminus';
import { type Database, DATABASE } from '@paradoxon/export';
import type { StoragePlugin } from '@paradoxon/storage';
import { StorageRegistry } from '@paradoxon/storage/nest';
import { ApiError } from '../api-error.ts';
import { problemContent } from '../problem-response.ts';

/** A store that does not say in time whether it can be used cannot. */
const CHECK_MS = 5_000;

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
  @HealthCheck({ swaggerDocumentation: false })
  @ApiOkResponse({ description: 'All of them can be used' })
  @ApiServiceUnavailableResponse({ description: 'NOT_READY: `details` says which cannot, and why', ...problemContent })
  async ready(): Promise<HealthCheckResult> {
    const stores = this.#registry.all().filter((store) => store.capabilities.write);
    const checks = [() => this.#checkDatabase(), ...stores.map((store) => () => this.#checkStore(store))];
    try {
      return await this.#health.check(checks);
    } catch (error) {
      if (!(error instanceof ServiceUnavailableException)) throw error;
      const result = error.getResponse() as HealthCheckResult;
      const down = Object.keys(result.error ?? {}).join(', ');
      throw new ApiError('NOT_READY', `Cannot be used: ${down || result.status}.`, result);
    }
  }

  async #checkDatabase(): Promise<HealthIndicatorResult> {
    const indicator = this.#indicator.check('database');
    const [answer] = await Promise.allSettled([this.#database.pool.query('select 1')]);
    return answer.status === 'fulfilled' ? indicator.up() : indicator.down('The database does not answer.');
  }

  async #checkStore(store: StoragePlugin): Promise<HealthIndicatorResult> {
    const indicator = this.#indicator.check(`storage:${store.id}`);
    const [answer] = await Promise.allSettled([store.check('reach', { signal: AbortSignal.timeout(CHECK_MS) })]);
    if (answer.status === 'rejected') return indicator.down(`It has not answered in ${CHECK_MS / 1000} s.`);
    const { ok, steps } = answer.value;
    return ok ? indicator.up() : indicator.down({ failed: steps.filter((step) => !step.ok) });
  }
}
