import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { Transform } from 'node:stream';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';

/** What the proxy does to one connection. Bytes are those that the target answers, HTTP heads and TLS included. */
export interface ConnectionFaults {
  /** Every answer begins so much later. */
  readonly latencyMs?: number;
  readonly bytesPerSecond?: number;
  /** The same for what the client sends. What the buffers of both systems hold, some MB, is still sent at once. */
  readonly upBytesPerSecond?: number;
  /** Passes so many bytes per packet, a packet every 100 ms. */
  readonly dripBytes?: number;
  /** Passes so many bytes, then closes the connection (FIN). 0: the target does its work and the answer is lost. */
  readonly cutAfterBytes?: number;
  /** The same with RST. */
  readonly resetAfterBytes?: number;
  /** The same with silence: the connection stays open. */
  readonly stallAfterBytes?: number;
  /** The target is never reached: connections are reset at once, those that are open too. */
  readonly down?: boolean;
}

export interface FaultProxy {
  /** Always '127.0.0.1'. */
  readonly host: string;
  readonly port: number;
  /** Connections so far. */
  readonly connections: number;
  /** Those whose fault has really happened: a test that injects faults ends by comparing this. */
  readonly faulted: number;
  /** Bytes of answers passed on so far. */
  readonly bytesPassed: number;
  /** The target's URL with the proxy in its place. */
  url(path: string): string;
  /**
   * Sets what happens to the connections from now on, behind what earlier calls have set for a number of them.
   * A client that keeps its connection alive has one connection, whatever it asks.
   * @param connections only the next so many; later ones pass untouched. Default: all.
   */
  inject(faults: ConnectionFaults, connections?: number): void;
  /** New connections pass untouched from now on. */
  heal(): void;
  /** Resets every open connection. */
  cutAll(): void;
  close(): Promise<void>;
}

const DRIP_MS = 100;
/** Time for the reader to take what was sent: a reset makes the kernel drop what is not read yet. */
const BEFORE_RESET_MS = 20;

/**
 * Starts a TCP proxy on 127.0.0.1 that breaks connections on purpose.
 *
 * @param target `scheme` is for `url()` only; TLS passes through untouched
 */
export async function startFaultProxy(target: {
  readonly host: string;
  readonly port: number;
  readonly scheme?: 'http' | 'https';
}): Promise<FaultProxy> {
  const plan: { faults: ConnectionFaults; left: number }[] = [];
  const open = new Set<Socket>();
  const count = { connections: 0, faulted: 0, bytesPassed: 0 };

  function next(): ConnectionFaults {
    const first = plan[0];
    if (!first) return {};
    first.left -= 1;
    if (first.left <= 0) plan.shift();
    return first.faults;
  }

  function track(socket: Socket): void {
    open.add(socket);
    socket.once('close', () => open.delete(socket));
    // what breaks here is what the test wanted broken; the other half is torn down by `close`
    socket.on('error', () => socket.destroy());
  }

  function cutAll(): void {
    for (const socket of open) socket.resetAndDestroy();
  }

  const server = createServer({ noDelay: true }, (client) => {
    count.connections += 1;
    track(client);
    const faults = next();
    if (faults.down) {
      count.faulted += 1;
      client.resetAndDestroy();
      return;
    }
    const upstream = connect({ host: target.host, port: target.port, noDelay: true });
    track(upstream);
    client.once('close', () => upstream.destroy());
    upstream.once('error', () => client.resetAndDestroy());
    const answers = new Answers(client, faults, count);
    client.on('data', () => answers.asked());
    const { upBytesPerSecond } = faults;
    if (upBytesPerSecond === undefined) {
      client.pipe(upstream);
    } else {
      client.pipe(slowly(upBytesPerSecond, () => answers.happened())).pipe(upstream);
    }
    answers.passOn(upstream).catch(() => client.destroy());
  });
  await new Promise<void>((listening, failed) => {
    server.once('error', failed).listen(0, '127.0.0.1', listening);
  });
  const { port } = server.address() as AddressInfo;

  return {
    host: '127.0.0.1',
    port,
    get connections() {
      return count.connections;
    },
    get faulted() {
      return count.faulted;
    },
    get bytesPassed() {
      return count.bytesPassed;
    },
    url: (path) => `${target.scheme ?? 'http'}://127.0.0.1:${port}${path}`,
    inject: (faults, connections = Infinity) => {
      plan.push({ faults, left: connections });
      if (faults.down) cutAll();
    },
    heal: () => {
      plan.length = 0;
    },
    cutAll,
    close: () =>
      new Promise((closed) => {
        server.close(() => closed());
        cutAll();
      }),
  };
}

/** What is passed on at once at this rate: a twentieth of a second. */
const pieceBytesAt = (bytesPerSecond: number): number => Math.ceil(bytesPerSecond / 20);

/** Passes on what it is given, no faster than that. */
function slowly(bytesPerSecond: number, happened: () => void): Transform {
  const pieceBytes = pieceBytesAt(bytesPerSecond);
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      happened();
      const pass = async (): Promise<void> => {
        for (let at = 0; at < chunk.byteLength; at += pieceBytes) {
          const piece = chunk.subarray(at, at + pieceBytes);
          this.push(piece);
          await sleep((piece.byteLength / bytesPerSecond) * 1000, undefined, { ref: false });
        }
      };
      pass().then(() => done(), done);
    },
  });
}

/** The answers of one connection on their way to the client. */
class Answers {
  readonly #client: Socket;
  readonly #faults: ConnectionFaults;
  readonly #count: { faulted: number; bytesPassed: number };
  readonly #limit: number;
  #passed = 0;
  #late = true;
  #counted = false;

  constructor(client: Socket, faults: ConnectionFaults, count: { faulted: number; bytesPassed: number }) {
    this.#client = client;
    this.#faults = faults;
    this.#count = count;
    this.#limit = faults.cutAfterBytes ?? faults.resetAfterBytes ?? faults.stallAfterBytes ?? Infinity;
  }

  /** The client has sent something: the next byte is the beginning of an answer. */
  asked(): void {
    this.#late = true;
  }

  async passOn(upstream: Socket): Promise<void> {
    for await (const chunk of upstream as AsyncIterable<Buffer>) {
      if (this.#late && this.#faults.latencyMs !== undefined) {
        this.happened();
        await sleep(this.#faults.latencyMs, undefined, { ref: false });
      }
      this.#late = false;
      await this.#send(chunk.subarray(0, this.#limit - this.#passed));
      if (this.#passed >= this.#limit) return this.#breakOff(upstream);
    }
    this.#client.end();
  }

  async #send(bytes: Buffer): Promise<void> {
    const { bytesPerSecond, dripBytes } = this.#faults;
    const pieceBytes = dripBytes ?? (bytesPerSecond === undefined ? Infinity : pieceBytesAt(bytesPerSecond));
    for (let at = 0; at < bytes.byteLength; at += pieceBytes) {
      const piece = bytes.subarray(at, at + pieceBytes);
      await new Promise<void>((written, failed) => {
        this.#client.write(piece, (error) => (error ? failed(error) : written()));
      });
      this.#passed += piece.byteLength;
      this.#count.bytesPassed += piece.byteLength;
      if (pieceBytes < Infinity) {
        this.happened();
        const rateMs = bytesPerSecond === undefined ? 0 : (piece.byteLength / bytesPerSecond) * 1000;
        await sleep(Math.max(rateMs, dripBytes === undefined ? 0 : DRIP_MS), undefined, { ref: false });
      }
    }
  }

  async #breakOff(upstream: Socket): Promise<void> {
    this.happened();
    upstream.destroy();
    if (this.#faults.cutAfterBytes !== undefined) {
      this.#client.end();
    } else if (this.#faults.resetAfterBytes !== undefined) {
      await sleep(BEFORE_RESET_MS);
      // a reader in this very process has its turn even when the process was busy all that time
      await nextTurn();
      this.#client.resetAndDestroy();
    } else {
      // a silent connection still notices that the client leaves
      this.#client.resume();
    }
  }

  /** The fault of this connection is no plan any more. */
  happened(): void {
    if (this.#counted) return;
    this.#counted = true;
    this.#count.faulted += 1;
  }
}
