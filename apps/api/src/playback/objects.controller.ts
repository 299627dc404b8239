import { Controller, Get, Inject, Param, Req, Res } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import { StorageError } from '@paradoxon/storage';
import { StorageRegistry } from '@paradoxon/storage/nest';
import { LocalStorage } from '@paradoxon/storage-local';
import type { Request, Response } from 'express';

/** Where the signed links of local stores lead. The link itself is the permission. */
@ApiExcludeController()
@Controller('v1/storages')
export class ObjectsController {
  readonly #registry: StorageRegistry;

  constructor(@Inject(StorageRegistry) registry: StorageRegistry) {
    this.#registry = registry;
  }

  @Get(':storage/objects/*key')
  async object(@Param('storage') id: string, @Req() request: Request, @Res() response: Response): Promise<void> {
    const store = this.#registry.has(id) ? this.#registry.get(id) : undefined;
    if (!(store instanceof LocalStorage)) {
      throw new StorageError('NOT_FOUND', `Storage "${id}" serves no links here.`, { scope: 'local', storage: id });
    }
    // as it came, still encoded: the signature is over exactly that key
    const prefix = `/v1/storages/${id}/objects/`;
    await store.serveLink(request, response, request.originalUrl.slice(prefix.length));
  }
}
