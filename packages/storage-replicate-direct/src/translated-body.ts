import { Readable } from 'node:stream';
import { finished } from 'node:stream/promises';

/** The same bytes, failing with a translated error. Destroying either end destroys the other at once, also while it waits. */
export function translatedBody(source: Readable, translate: (error: unknown) => Error): Readable {
  const body = new Readable({
    read: () => source.resume(),
    destroy: (error, done) => {
      source.destroy();
      done(error);
    },
  });
  // otherwise the listener below would start the flow before anybody reads
  source.pause();
  source.on('data', (chunk: Uint8Array) => {
    if (!body.push(chunk)) source.pause();
  });
  finished(source, { writable: false }).then(
    () => body.push(null),
    (error: unknown) => body.destroy(translate(error)),
  );
  return body;
}
