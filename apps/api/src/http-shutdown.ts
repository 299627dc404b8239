import type { Server } from 'node:http';
import { Inject, Injectable, type OnModuleDestroy } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';

/** Within the time that running transfers get at the end, which passes at the same time. */
const GRACE_MS = 3_000;

/**
 * Bounds the end of the service, which waits for every connection: no new one is taken, those that wait for a request are
 * closed at once, and an answer under way (a slow player) is cut after a short grace.
 */
@Injectable()
export class HttpShutdown implements OnModuleDestroy {
  readonly #http: HttpAdapterHost;

  constructor(@Inject(HttpAdapterHost) http: HttpAdapterHost) {
    this.#http = http;
  }

  onModuleDestroy(): void {
    const server = this.#http.httpAdapter.getHttpServer() as Server;
    // closes what is idle, too
    server.close();
    setTimeout(() => server.closeAllConnections(), GRACE_MS).unref();
  }
}
