/** What it rejects with, so that a test can ask whether it is the very same error. */
export async function rejection(call: Promise<unknown>): Promise<unknown> {
  const settled = await call.then(
    () => undefined,
    (error: unknown) => ({ error }),
  );
  if (!settled) throw new Error('It resolved.');
  return settled.error;
}
