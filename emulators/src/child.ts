import type { ChildProcess } from 'node:child_process';
import type { Socket } from 'node:net';
import { within } from './within.ts';

const KEPT_CHARACTERS = 4000;
const SIGTERM_MS = 5000;

/** A child process of which somebody knows how it ended and what it said last. */
export interface Child {
  /** Resolves, and never rejects, once the process is gone or could not even be started. */
  readonly ended: Promise<void>;
  /** Why it is gone; undefined while it runs. */
  fate(): string | undefined;
  /** The end of what it has printed. */
  lastWords(): string;
  /** From now on it does not keep this process from ending. */
  release(): void;
  /** SIGTERM, after 5 s SIGKILL. Resolves once it is gone. */
  readonly terminate: () => Promise<void>;
  /** SIGKILL. Resolves once it is gone. */
  readonly kill: () => Promise<void>;
}

export function watchChild(child: ChildProcess): Child {
  let words = '';
  let fate: string | undefined;
  for (const output of [child.stdout, child.stderr]) {
    output?.setEncoding('utf8').on('data', (text: string) => (words = (words + text).slice(-KEPT_CHARACTERS)));
  }
  const ended = new Promise<void>((resolve) => {
    child.once('error', ({ message }) => {
      // a kill that fails is an `error` event, too; without a pid there never was a process
      if (child.pid !== undefined) return;
      fate = message;
      resolve();
    });
    // not `exit`: by `close` its last words have arrived as well
    child.once('close', (code, signal) => {
      fate = `It ended with ${signal ?? `exit code ${code}`}.`;
      resolve();
    });
  });

  function end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    if (fate === undefined) {
      for (const handle of handlesOf(child)) handle.ref?.();
      child.kill(signal);
    }
    return ended;
  }

  return {
    ended,
    fate: () => fate,
    lastWords: () => words.trim() || 'Nothing.',
    release: () => {
      for (const handle of handlesOf(child)) handle.unref?.();
    },
    async terminate() {
      await within(SIGTERM_MS, end('SIGTERM'));
      await end('SIGKILL');
    },
    kill: () => end('SIGKILL'),
  };
}

/** All that keeps this process alive for the child's sake. Its outputs are sockets, whatever their types say. */
function handlesOf(child: ChildProcess): { ref?(): void; unref?(): void }[] {
  const outputs = [child.stdout, child.stderr] as (Socket | null)[];
  return [child, child.channel, ...outputs].filter((handle) => handle != null);
}
