import type { StorageErrorCode } from '@paradoxon/storage';

/** What goes wrong with one call. Without any member the call passes: `{}` counts a call and leaves it alone. */
export interface CallFault {
  /** The call is passed on so much later. */
  readonly delayMs?: number;
  /** What the call rejects with: at once, or where another member says. A code becomes a StorageError. Default `UNAVAILABLE`. */
  readonly error?: StorageErrorCode | Error;
}

export interface PutFault extends CallFault {
  /** Rejects when the store has taken so many bytes. */
  readonly failAfterBytes?: number;
  /** The store takes so many bytes and then no more, until the call is aborted. */
  readonly stallAfterBytes?: number;
  /** The object is stored, and the answer is lost: rejects with `committed: 'unknown'` (default `NETWORK`). */
  readonly commitThenFail?: true;
}

export interface OpenFault extends CallFault {
  /** The body fails after so many bytes. */
  readonly failAfterBytes?: number;
  /** The body gives so many bytes and then stalls, until it is destroyed or aborted. */
  readonly stallAfterBytes?: number;
  /** One bit of the first byte is wrong. */
  readonly corrupt?: true;
}

/** Faults per method, one per call, in order; calls beyond them pass. */
export interface FaultPlan {
  readonly put?: readonly PutFault[];
  readonly open?: readonly OpenFault[];
  readonly head?: readonly CallFault[];
  readonly delete?: readonly CallFault[];
  readonly resolveUrl?: readonly CallFault[];
  readonly check?: readonly CallFault[];
  readonly list?: readonly CallFault[];
  readonly sweepIncomplete?: readonly CallFault[];
  /** Bodies in both directions, each. */
  readonly throttleBytesPerSecond?: number;
}
