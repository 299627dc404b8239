const TIMEOUT_MS = 10_000;

/** Aborts with the caller's signal, and when a server has not answered in ten seconds: a person waits for a check. */
export function answerSignal(signal: AbortSignal | undefined): AbortSignal {
  const timeout = AbortSignal.timeout(TIMEOUT_MS);
  return signal ? AbortSignal.any([signal, timeout]) : timeout;
}
