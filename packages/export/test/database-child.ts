import { type ChildProcess, spawn, type SpawnOptions } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { join } from 'node:path';

const SCRIPT = join(import.meta.dirname, 'database-process.ts');

/** A real second process on a data folder, and what it says. */
export class DatabaseProcess {
  readonly #child: ChildProcess;
  readonly #lines: string[] = [];
  readonly #ended: Promise<unknown>;

  constructor(folder: string, options: SpawnOptions = {}) {
    const args = ['--conditions=@paradoxon/source', '--disable-warning=ExperimentalWarning', SCRIPT, folder];
    this.#child = spawn(process.execPath, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
    this.#ended = once(this.#child, 'close');
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      if (stream) createInterface(stream).on('line', (line) => this.#lines.push(line));
    }
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get lines(): readonly string[] {
    return this.#lines;
  }

  /** Waits until it says something that begins like this. @throws when it ends without */
  async says(start: string): Promise<string> {
    for (;;) {
      const line = this.#lines.find((each) => each.startsWith(start));
      if (line !== undefined) return line;
      if (this.#child.exitCode !== null || this.#child.signalCode !== null) {
        await this.#ended;
        const late = this.#lines.find((each) => each.startsWith(start));
        if (late !== undefined) return late;
        throw new Error(`It never said "${start}", but:\n${this.#lines.join('\n')}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  /** @param target `group`: like Ctrl-C in a terminal, it reaches all of the process group */
  async end(signal: NodeJS.Signals, target: 'process' | 'group' = 'process'): Promise<number | null> {
    process.kill(target === 'group' ? -this.pid : this.pid, signal);
    await this.#ended;
    return this.#child.exitCode;
  }

  async ended(): Promise<number | null> {
    await this.#ended;
    return this.#child.exitCode;
  }
}
