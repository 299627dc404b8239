/** One life of a server: from its start to its end. */
export interface Run {
  readonly port: number;
  /** Ends it in order; resolves once it is gone, at once when it already is. */
  stop(): Promise<void>;
  /** Ends it with SIGKILL; resolves once it is gone, at once when it already is. */
  kill(): Promise<void>;
}
