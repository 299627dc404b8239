import { redactUrls } from '@paradoxon/storage';
import type { Options } from 'pino-http';

interface LoggedRequest {
  readonly id: unknown;
  readonly method: string;
  readonly url: string;
}

/** As deep as a chain of causes is followed: it may be a ring. */
const MAX_CAUSES = 5;

/** One line a request, without headers; errors whole, with their causes; signed queries never reach it. */
export function logOptions(level: string): Options {
  return {
    level,
    serializers: {
      req: ({ id, method, url }: LoggedRequest) => ({ id, method, url: url.split('?')[0] }),
      res: ({ statusCode }: { statusCode: number }) => ({ statusCode }),
      // pino-http hands on its own rendering, which keeps the error itself as `raw`
      err: (error: Error & { raw?: Error }) => loggedError(error.raw ?? error),
    },
    hooks: {
      logMethod(args, method) {
        const clean = withError(args).map((arg: unknown) => (typeof arg === 'string' ? redactUrls(arg) : arg));
        method.apply(this, clean as Parameters<typeof method>);
      },
    },
    autoLogging: { ignore: (request) => request.url?.startsWith('/health') ?? false },
  };
}

/**
 * Nest's `logger.error(text, error)` arrives as `[{ context }, text, error]`, and as `[{ context: error }, text]` without
 * a context; pino prints an error only as `err`. Without a text pino would take the error's own message, as it is.
 */
function withError(args: readonly unknown[]): unknown[] {
  const [first, ...rest] = args;
  if (typeof first !== 'object' || first === null) return [...args];
  const { context, ...fields } = first as { context?: unknown; err?: unknown };
  const err = [fields.err, context, ...rest].find((each) => each instanceof Error);
  if (!err) return [...args];
  const [text = err.message, ...more] = rest.filter((arg) => arg !== err);
  return [{ ...fields, ...(context === err ? {} : { context }), err }, text, ...more];
}

function loggedError(error: unknown, causes = MAX_CAUSES): unknown {
  if (!(error instanceof Error)) return redactUrls(String(error));
  const { name, message, stack = '', cause } = error;
  return {
    type: name,
    ...('code' in error ? { code: error.code } : {}),
    message: redactUrls(message),
    stack: redactUrls(stack),
    ...(cause === undefined || causes === 0 ? {} : { cause: loggedError(cause, causes - 1) }),
  };
}
