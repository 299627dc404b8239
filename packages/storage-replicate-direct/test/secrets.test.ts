import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { errorOf, everythingIn } from './errors.ts';
import { ID, type Setting, startSetting, TOKEN } from './setting.ts';

let setting: Setting;
beforeEach(async () => {
  setting = await startSetting();
});
afterEach(() => setting.close());

const SIGNATURE = 'PLANTEDSIGNATURE';
const NAME = '/czjl/output.mp4';

/** Each ends in an error; the URL is `signed`, the API's answer may repeat the token. */
const troubles: { title: string; provoke: (signed: string) => Promise<unknown> }[] = [
  {
    title: 'a file that is gone',
    provoke: (signed) => {
      setting.files.expire(NAME);
      return setting.store.open(signed);
    },
  },
  {
    title: 'a file host that breaks the connection',
    provoke: (signed) => {
      setting.files.fail(NAME, ['reset']);
      return setting.store.head(signed);
    },
  },
  {
    title: 'a file that is cut short',
    provoke: async (signed) => {
      setting.files.fail(NAME, ['cut']);
      return buffer((await setting.store.open(signed)).body);
    },
  },
  {
    title: 'a file that changed',
    provoke: (signed) => setting.store.open(signed, { ifMatch: '"other"', range: { start: 5 } }),
  },
  { title: 'a file behind its end', provoke: (signed) => setting.store.open(signed, { range: { start: 1e9 } }) },
  {
    title: 'a file without a size',
    provoke: (signed) => {
      setting.files.fail(NAME, ['no-length', 'no-length']);
      return setting.store.head(signed);
    },
  },
  {
    title: 'a forbidden host',
    provoke: (signed) => setting.store.resolveUrl(signed.replace(/^http:..[^/]+/, 'https://evil.example')),
  },
  {
    title: 'a URL with a password',
    provoke: (signed) => setting.store.head(signed.replace('//', `//user:${SIGNATURE}@`)),
  },
  { title: 'a write', provoke: (signed) => setting.store.delete(signed) },
  {
    title: 'an aborted read',
    provoke: (signed) => setting.store.open(signed, { signal: AbortSignal.abort() }),
  },
  {
    title: 'a prediction whose file is gone',
    provoke: (signed) => {
      setting.files.expire(NAME);
      setting.succeed(signed);
      return setting.store.open(ID);
    },
  },
  {
    title: 'a prediction that failed over a signed URL',
    provoke: (signed) => {
      setting.succeed(null, { status: 'failed', error: `cannot read ${signed}` });
      return setting.store.open(ID);
    },
  },
  ...[400, 401, 403, 404, 500].map((status) => ({
    title: `an API that answers ${status} and repeats the token`,
    provoke: () => {
      setting.api.answerNext({ status, body: { detail: `Bearer ${TOKEN} is not welcome` } });
      return setting.store.head(ID);
    },
  })),
  {
    title: 'an API that answers something else and repeats the token',
    provoke: () => {
      setting.api.answerNext({ status: 200, body: TOKEN });
      return setting.store.head(ID);
    },
  },
  {
    title: 'an API that repeats the token in its list',
    provoke: async () => {
      setting.api.answerNext({ status: 200, body: { results: [{ token: TOKEN }], next: null } });
      for await (const _prediction of setting.store.listPredictions());
    },
  },
  {
    title: 'a list that leads elsewhere with the token',
    provoke: async () => {
      setting.api.answerNext({ status: 200, body: { results: [], next: `https://evil.example/${TOKEN}` } });
      for await (const _prediction of setting.store.listPredictions());
    },
  },
  {
    title: 'an API that breaks the connection',
    provoke: () => {
      setting.api.answerNext('reset');
      return setting.store.head(ID);
    },
  },
];

describe('an error', () => {
  it.each(troubles)('tells no secret: $title', async ({ provoke }) => {
    const signed = `${setting.files.url(NAME)}?expiry=1&signature=${SIGNATURE}`;

    const error = await errorOf(() => provoke(signed));

    const everything = everythingIn(error);
    expect(everything).not.toContain(SIGNATURE);
    expect(everything).not.toContain(TOKEN);
  });
});

describe('the token', () => {
  it('never reaches the host of the files', async () => {
    const seen: unknown[] = [];
    const { createServer } = await import('node:http');
    const server = createServer((request, response) => {
      seen.push(request.headers);
      response.writeHead(404).end();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    const port = typeof address === 'object' ? address?.port : 0;
    setting.succeed(`http://127.0.0.1:${port}/a.mp4`);

    await errorOf(() => setting.store.open(ID));

    server.close();
    server.closeAllConnections();
    expect(seen).toHaveLength(2);
    expect(JSON.stringify(seen)).not.toContain('authorization');
    expect(JSON.stringify(seen)).not.toContain(TOKEN);
  });
});
