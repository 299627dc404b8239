import type { IncomingMessage, ServerResponse } from 'node:http';
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { type StorageCapabilities, StorageError } from '../../src/index.ts';
import { type CanaryOptions, CheckRun, checkWithCanary } from '../../src/plugin/index.ts';
import { LinkedStore } from './linked-store.ts';
import { rejection } from './rejection.ts';
import { nowhere, serve } from './web-server.ts';

const DAY = 24 * 3600;
const ALL_STEPS = ['write', 'look', 'read', 'create only', 'link', 'pages', 'life of links', 'delete'];

afterEach(() => {
  jest.restoreAllMocks();
});

async function check(store: LinkedStore, options?: CanaryOptions) {
  const run = new CheckRun();
  await checkWithCanary(store, run, options);
  const { ok, steps } = run.report();
  const details = Object.fromEntries(steps.map(({ name, detail }) => [name, detail]));
  return {
    ok,
    names: steps.map(({ name }) => name),
    bad: steps.filter((step) => !step.ok).map(({ name }) => name),
    details,
  };
}

/** A store whose links are answered by a server of its own, honestly unless told otherwise. */
async function linked(
  capabilities?: Partial<StorageCapabilities>,
  answer?: (request: IncomingMessage, response: ServerResponse, bytes: Buffer) => void,
): Promise<LinkedStore> {
  const store = new LinkedStore(capabilities);
  store.origin = await serve((request, response) => {
    const bytes = store.objects.get((request.url ?? '').slice(1).split('?')[0] ?? '')?.bytes ?? Buffer.alloc(0);
    if (answer) answer(request, response, bytes);
    else if (request.headers.range === 'bytes=1-5') response.writeHead(206).end(bytes.subarray(1, 6));
    else response.end(bytes);
  });
  return store;
}

it('writes, reads, links and deletes an object of its own, and leaves nothing', async () => {
  const store = await linked();
  store.objects.set('film.mp4', { bytes: Buffer.from('a film') });
  const keys = new Set<string>();
  const put = store.put.bind(store);
  store.put = (key, ...rest) => {
    keys.add(key);
    return put(key, ...rest);
  };

  const { ok, names, details } = await check(store);

  expect([ok, names]).toEqual([true, ALL_STEPS]);
  expect(details).toEqual({
    write: 'Wrote 15 bytes.',
    look: 'Size and content type are as written.',
    read: 'A range came back unchanged.',
    'create only': 'A second writer is refused.',
    link: expect.stringMatching(/^A link plays with 206, until 20\d\d-.*Z\.$/),
    pages: 'Pages may play links; scripts in pages may not read them (no CORS for them).',
    'life of links': 'Links may live for 168.0 hours.',
    delete: 'Nothing is left.',
  });
  expect([...store.objects.keys()]).toEqual(['film.mp4']);
  expect([...keys]).toEqual([expect.stringMatching(/^paradoxon-check-[0-9a-f-]{36}$/)]);
  expect(store.bodies.size).toBe(0);
  expect(store.calls.filter((call) => call === 'delete')).toEqual(['delete']);
});

it('takes another key each time: two checks at once do not meet', async () => {
  const store = new LinkedStore({ signedUrl: false });

  const reports = await Promise.all([check(store), check(store), check(store)]);

  expect(reports.map(({ ok }) => ok)).toEqual([true, true, true]);
});

it('tries nothing that the store says it cannot do', async () => {
  const store = new LinkedStore({ range: false, createIfAbsent: false, signedUrl: false });

  const { ok, names, details } = await check(store);

  expect([ok, names]).toEqual([true, ['write', 'look', 'read', 'delete']]);
  expect(details['read']).toBe('It came back unchanged.');
  expect(store.calls).toContain('open');
  for (const call of ['open a range', 'put if absent', 'resolveUrl']) expect(store.calls).not.toContain(call);
});

it('follows no links when nobody serves them yet', async () => {
  const store = new LinkedStore();

  const { ok, names } = await check(store, { links: false });

  expect([ok, names]).toEqual([true, ['write', 'look', 'read', 'create only', 'delete']]);
});

describe('a store', () => {
  it('that may not be written is not asked for more than to remove what may be there', async () => {
    const store = new LinkedStore();
    store.before = (call) => {
      if (call === 'put') throw new StorageError('PERMISSION_DENIED', 'Grant s3:PutObject.');
    };

    const { ok, bad, names, details } = await check(store);

    expect([ok, names, bad]).toEqual([false, ['write', 'delete'], ['write']]);
    expect(details).toEqual({ write: 'Grant s3:PutObject.', delete: 'Nothing is left of the attempt.' });
  });

  it('that may be written and not read says which step fails, and the others go on', async () => {
    const store = await linked();
    store.before = (call) => {
      if (call === 'open a range') throw new StorageError('PERMISSION_DENIED', 'Grant s3:GetObject.');
    };

    const { names, bad, details } = await check(store);

    expect([names, bad, details['read']]).toEqual([ALL_STEPS, ['read'], 'Grant s3:GetObject.']);
  });

  it('that deletes nothing says so, and is asked once more', async () => {
    const store = new LinkedStore({ signedUrl: false });
    store.before = (call) => {
      if (call === 'delete') throw new StorageError('PERMISSION_DENIED', 'Grant s3:DeleteObject.');
    };

    const { bad, details } = await check(store);

    expect([bad, details['delete']]).toEqual([['delete'], 'Grant s3:DeleteObject.']);
    expect(store.calls.filter((call) => call === 'delete')).toEqual(['delete', 'delete']);
  });

  it.each<{ title: string; step: string; spoil: (store: LinkedStore) => void; says: RegExp }>([
    {
      title: 'that holds another number of bytes',
      step: 'look',
      spoil: (store) => {
        const head = store.head.bind(store);
        store.head = async (key) => ({ ...(await head(key)), size: 14 });
      },
      says: /holds 14 bytes of the 15 written/,
    },
    {
      title: 'that changes the content type',
      step: 'look',
      spoil: (store) => {
        const head = store.head.bind(store);
        store.head = async (key) => ({ ...(await head(key)), contentType: 'video/mp4' });
      },
      says: /has made video\/mp4 of the content type text\/plain/,
    },
    {
      title: 'that gives other bytes back',
      step: 'read',
      spoil: (store) => {
        const { bodyOf } = store;
        store.bodyOf = (bytes) => bodyOf(Buffer.from(bytes.toString().toUpperCase()));
      },
      says: /are not those written/,
    },
    {
      title: 'that ignores ranges',
      step: 'read',
      spoil: (store) => {
        const open = store.open.bind(store);
        store.open = (key) => open(key);
      },
      says: /are not those written/,
    },
    {
      title: 'that replaces what is there in a create-only write',
      step: 'create only',
      spoil: (store) => {
        const put = store.put.bind(store);
        store.put = (key, body) => put(key, body, { contentType: 'text/plain' });
      },
      says: /cannot do what its capabilities say/,
    },
    {
      title: 'that refuses a create-only write for another reason',
      step: 'create only',
      spoil: (store) => {
        store.before = (call) => {
          if (call === 'put if absent') throw new StorageError('UNAVAILABLE', 'Not implemented.');
        };
      },
      says: /Not implemented/,
    },
  ])('$title is found out by the step "$step"', async ({ step, spoil, says }) => {
    const store = new LinkedStore({ signedUrl: false });
    spoil(store);

    const { bad, details } = await check(store);

    expect([bad, details[step]]).toEqual([[step], expect.stringMatching(says)]);
    expect(store.objects.size).toBe(0);
  });
});

it('says with the advice of the plugin how a store that ignores create-only writes is configured', async () => {
  const store = new LinkedStore({ signedUrl: false });
  const put = store.put.bind(store);
  store.put = (key, body) => put(key, body, { contentType: 'text/plain' });

  const { bad, details } = await check(store, { createOnlyAdvice: 'Set conditionalWrites to false.' });

  expect(bad).toEqual(['create only']);
  expect(details['create only']).toMatch(/what its capabilities say\. Set conditionalWrites to false\.$/);
});

describe('a link', () => {
  it('is followed as it is, whole, where the store has no ranges for it', async () => {
    const asked: (string | undefined)[] = [];
    const store = await linked({}, (request, response, bytes) => {
      asked.push(request.headers.range);
      response.end(bytes);
    });
    store.supportsRange = false;

    const { ok, details } = await check(store);

    expect([ok, asked]).toEqual([true, [undefined, undefined]]);
    expect(details['link']).toContain('plays with 200');
  });

  it.each<{ title: string; answer: (response: ServerResponse, bytes: Buffer) => void; says: RegExp }>([
    {
      title: 'refused',
      answer: (response) => response.writeHead(403).end('<Code>SignatureDoesNotMatch</Code>'),
      says: /answered with 403: <Code>SignatureDoesNotMatch/,
    },
    {
      title: 'refused with the right bytes',
      answer: (response, bytes) => response.writeHead(404).end(bytes.subarray(1, 6)),
      says: /answered with 404/,
    },
    {
      title: 'answered with other bytes',
      answer: (response) => response.writeHead(206).end('other'),
      says: /answered with 206, but with other bytes/,
    },
    {
      title: 'answered without the range',
      answer: (response, bytes) => response.end(bytes),
      says: /answered with 200, but with other bytes/,
    },
    {
      title: 'cut off',
      answer: (response) => void response.socket?.destroy(),
      says: /Nothing answers .*UND_ERR_SOCKET/,
    },
  ])('that is $title fails, and pages are not tried', async ({ answer, says }) => {
    const store = await linked({}, (_request, response, bytes) => answer(response, bytes));

    const { bad, names, details } = await check(store);

    expect([bad, details['link']]).toEqual([['link'], expect.stringMatching(says)]);
    expect(names).toEqual(ALL_STEPS.filter((name) => name !== 'pages'));
    expect(store.objects.size).toBe(0);
  });

  it('at which nobody answers fails, says why, and shows no signature', async () => {
    const store = new LinkedStore();
    store.origin = await nowhere();

    const { bad, details } = await check(store);

    expect([bad, details['link']]).toEqual([['link'], 'Nothing answers at the link (ECONNREFUSED).']);
    expect(JSON.stringify(details)).not.toContain('signature=secret');
  });

  it('that keeps silent is not waited for longer than ten seconds', async () => {
    const real = AbortSignal.timeout.bind(AbortSignal);
    // a hundredth of the time
    jest.spyOn(AbortSignal, 'timeout').mockImplementation((ms) => real(ms / 100));
    const store = await linked({}, () => undefined);

    const { bad, details } = await check(store);

    expect([bad, details['link']]).toEqual([['link'], 'Nothing answers at the link (no answer in time).']);
  });

  it('that begins and then keeps silent is not waited for either', async () => {
    const real = AbortSignal.timeout.bind(AbortSignal);
    jest.spyOn(AbortSignal, 'timeout').mockImplementation((ms) => real(ms / 100));
    const store = await linked({}, (_request, response) => void response.writeHead(206).write('a'));

    const { bad, details } = await check(store);

    expect([bad, details['link']]).toEqual([['link'], 'Nothing answers at the link (no answer in time).']);
  });

  it('that never ends says so', async () => {
    const store = await linked();
    store.lifeSeconds = null;

    const { ok, details } = await check(store);

    expect(ok).toBe(true);
    expect(details['link']).toBe('A link plays with 206, until it is withdrawn.');
    expect(details['life of links']).toBe('Links do not end.');
  });

  it.each([
    { lifeSeconds: 3600, says: /^Links may live for 1\.0 hours only, .* would allow 168\.0 hours\.$/ },
    { lifeSeconds: 7 * DAY - 120, says: /only/ },
    { lifeSeconds: 7 * DAY - 30, says: /^Links may live for 168\.0 hours\.$/ },
  ])('that lives for $lifeSeconds s says how long that is', async ({ lifeSeconds, says }) => {
    const store = await linked();
    store.lifeSeconds = lifeSeconds;

    const { ok, details } = await check(store);

    expect(ok).toBe(true);
    expect(details['life of links']).toMatch(says);
  });
});

describe('pages', () => {
  const cors = (allowed: (origin: string | undefined) => string | undefined): Promise<LinkedStore> =>
    linked({}, (request, response, bytes) => {
      const header = allowed(request.headers.origin);
      if (header !== undefined) response.setHeader('access-control-allow-origin', header);
      if (request.headers.range) response.writeHead(206).end(bytes.subarray(1, 6));
      else response.end(bytes);
    });

  it.each([
    { title: 'everybody', allowed: () => '*' },
    { title: 'who asks', allowed: (origin: string | undefined) => origin },
  ])('may read links where CORS allows $title', async ({ allowed }) => {
    const { ok, details } = await check(await cors(allowed), { corsAdvice: 'Add a CORS rule.' });

    expect(ok).toBe(true);
    expect(details['pages']).toMatch(/^Pages may play and read links \(CORS allows (\*|https:\/\/\S+)\)\.$/);
  });

  it('may not where it allows another site: that is no failure, and comes with the advice', async () => {
    const { ok, details } = await check(await cors(() => 'https://other.example'), { corsAdvice: 'Add a CORS rule.' });

    expect(ok).toBe(true);
    expect(details['pages']).toBe(
      'Pages may play links; scripts in pages may not read them (no CORS for them). Add a CORS rule.',
    );
  });
});

describe('an abort', () => {
  it.each(['head', 'open a range', 'put if absent', 'resolveUrl'])(
    'in the middle of "%s" deletes the canary',
    async (at) => {
      const controller = new AbortController();
      const store = new LinkedStore();
      store.before = (call) => {
        if (call === at) controller.abort();
      };

      const error = await rejection(checkWithCanary(store, new CheckRun(controller.signal)));

      expect(error).toMatchObject({ code: 'ABORTED' });
      expect(store.objects.size).toBe(0);
      expect(store.calls.slice(-2)).toEqual([at, 'delete']);
    },
  );

  it('of the deleting deletes it all the same', async () => {
    const controller = new AbortController();
    const store = new LinkedStore({ signedUrl: false });
    store.before = (call) => {
      if (call === 'delete') controller.abort();
    };

    const error = await rejection(checkWithCanary(store, new CheckRun(controller.signal)));

    expect(error).toMatchObject({ code: 'ABORTED' });
    expect(store.objects.size).toBe(0);
  });

  it('while a link is not answered ends the check at once', async () => {
    const controller = new AbortController();
    const store = await linked({}, () => controller.abort());

    const error = await rejection(checkWithCanary(store, new CheckRun(controller.signal)));

    expect(error).toMatchObject({ code: 'ABORTED' });
    expect(store.objects.size).toBe(0);
  });

  it('that the deleting fails after is still ABORTED', async () => {
    const controller = new AbortController();
    const store = new LinkedStore();
    store.before = (call) => {
      if (call === 'head') controller.abort();
      if (call === 'delete') throw new StorageError('NETWORK', 'The cable is out.');
    };

    const error = await rejection(checkWithCanary(store, new CheckRun(controller.signal)));

    expect(error).toMatchObject({ code: 'ABORTED' });
  });

  it('ends the check also when the store no longer answers', async () => {
    const store = await linked();
    const stop = new AbortController();
    store.before = (call, signal) => {
      if (call !== 'delete') return stop.abort();
      return new Promise((_settle, fail) => signal?.addEventListener('abort', () => fail(new Error('stopped'))));
    };

    const error = await rejection(checkWithCanary(store, new CheckRun(stop.signal)));

    expect(error).toMatchObject({ code: 'ABORTED' });
  });

  it('that came before writes nothing', async () => {
    const store = new LinkedStore();

    await rejection(checkWithCanary(store, new CheckRun(AbortSignal.abort())));

    expect(store.calls).not.toContain('put');
  });
});
