/** Why a `fetch` failed, in a few words: its own "fetch failed" says nothing, its cause does. */
export function fetchFailure(error: unknown): string {
  // no instanceof: in Jest, fetch's errors are of another realm
  const { name, cause = error } = (error ?? {}) as { readonly name?: unknown; readonly cause?: unknown };
  if (name === 'TimeoutError') return 'no answer in time';
  const { code, message } = (cause ?? {}) as { readonly code?: unknown; readonly message?: unknown };
  if (typeof code === 'string') return code;
  return typeof message === 'string' ? message : String(cause);
}
