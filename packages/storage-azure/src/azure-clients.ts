import {
  AnonymousCredential,
  BlobServiceClient,
  type BlockBlobClient,
  type ContainerClient,
  newPipeline,
  type RequestPolicyFactory,
} from '@azure/storage-blob';
import type { AzureAccess } from './azure-credentials.ts';
import { SocketPool } from './socket-pool.ts';

/** A request that fails at once is given up after half a second: the long loop is that of whoever runs the job. */
const RETRIES = { maxTries: 3, retryDelayInMs: 400, maxRetryDelayInMs: 1000 };
const ONCE = { maxTries: 1 };
const BEHIND_MS = 500;

/** One store's clients of Microsoft's SDK, on connections of its own. */
export class AzureClients {
  readonly service: BlobServiceClient;
  /** For questions. */
  readonly container: ContainerClient;
  readonly #transfers: ContainerClient;
  readonly #commits: ContainerClient;
  readonly #removals: ContainerClient;
  readonly #pools: readonly SocketPool[];

  constructor(access: AzureAccess, container: string, idleTimeoutMs: number) {
    const questions = new SocketPool(idleTimeoutMs);
    // the body of an `open` has a clock of its own, which also knows why it stands still: this one must not be faster
    const transfers = new SocketPool(idleTimeoutMs + BEHIND_MS);
    this.#pools = [questions, transfers];
    this.service = serviceClient(access, questions, RETRIES);
    this.container = this.service.getContainerClient(container);
    this.#removals = serviceClient(access, questions, ONCE).getContainerClient(container);
    this.#transfers = serviceClient(access, transfers, RETRIES).getContainerClient(container);
    this.#commits = serviceClient(access, transfers, ONCE).getContainerClient(container);
  }

  /** For questions about one blob. */
  blob(name: string): BlockBlobClient {
    return this.container.getBlockBlobClient(name);
  }

  /** For its bytes. */
  transfer(name: string): BlockBlobClient {
    return this.#transfers.getBlockBlobClient(name);
  }

  /** To make it visible. The request is tried once: see `commit`. */
  commit(name: string): BlockBlobClient {
    return this.#commits.getBlockBlobClient(name);
  }

  /** To delete it. The request is tried once: see `commit`. */
  remove(name: string): BlockBlobClient {
    return this.#removals.getBlockBlobClient(name);
  }

  close(): void {
    for (const pool of this.#pools) pool.destroy();
  }
}

function serviceClient(access: AzureAccess, pool: SocketPool, retryOptions: typeof ONCE): BlobServiceClient {
  const pipeline = newPipeline(credentialOf(access), { retryOptions });
  pipeline.factories.push(onSocketsOf(pool));
  return new BlobServiceClient(
    access.kind === 'sas' ? `${access.accountUrl}?${access.sas}` : access.accountUrl,
    pipeline,
  );
}

function credentialOf(access: AzureAccess): Parameters<typeof newPipeline>[0] {
  if (access.kind === 'key') return access.key;
  return access.kind === 'token' ? access.token : new AnonymousCredential();
}

/** Without it all clients of a process share the SDK's own connections. One that goes through a proxy has its agent already. */
const onSocketsOf = (pool: SocketPool): RequestPolicyFactory => ({
  create: (next) => ({
    sendRequest: (request) => {
      request.agent ??= pool.agentFor(request.url);
      return next.sendRequest(request);
    },
  }),
});
