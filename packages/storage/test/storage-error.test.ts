import { readFile } from 'node:fs/promises';
import { describe, expect, it } from '@jest/globals';
import { STORAGE_ERRORS, StorageError, type StorageErrorCode } from '../src/index.ts';

const codes = Object.keys(STORAGE_ERRORS) as StorageErrorCode[];

/** The same module once more, as a second installed copy of the package would be. */
async function anotherCopy(): Promise<typeof StorageError> {
  const copy = '../src/storage-error.ts?copy';
  const module = (await import(copy)) as { StorageError: typeof StorageError };
  return module.StorageError;
}

describe('an error', () => {
  it.each(codes)('%s carries the advice of its code, unless it knows better', (code) => {
    expect(new StorageError(code, 'x')).toMatchObject({
      name: 'StorageError',
      code,
      retry: STORAGE_ERRORS[code].retry,
      scope: 'target',
      committed: 'no',
    });
    expect(new StorageError(code, 'x', { retry: 'never' }).retry).toBe('never');
  });

  it('carries all that is known about it', () => {
    const cause = new Error('socket');
    const details = {
      scope: 'source',
      retry: 'after',
      retryAfterMs: 1500,
      committed: 'unknown',
      storage: 's3-eu',
      operation: 'put',
      key: 'films/1',
      httpStatus: 503,
      requestId: 'r1',
      cause,
    } as const;

    const error = new StorageError('UNAVAILABLE', 'Try later.', details);

    expect({ ...error, cause: error.cause }).toMatchObject(details);
    expect(error).toBeInstanceOf(Error);
    expect(String(error)).toBe('StorageError: Try later.');
  });

  it('shows no signature, neither in its message nor in its stack', () => {
    const error = new StorageError('NETWORK', 'GET https://u:p@h/p?sig=secret failed');

    expect(error.message).toBe('GET https://h/p?… failed');
    expect(error.stack).not.toContain('secret');
  });

  it('is recognised when it comes from another installed copy', async () => {
    const Other = await anotherCopy();
    const foreign = new Other('NOT_FOUND', 'x');

    expect(Other).not.toBe(StorageError);
    expect(foreign).not.toBeInstanceOf(StorageError);
    expect(StorageError.is(foreign)).toBe(true);
    expect(StorageError.from(foreign)).toBe(foreign);
  });

  it.each([undefined, null, 'NOT_FOUND', 7, {}, new Error('x'), Object.assign(new Error('x'), { code: 'NOT_FOUND' })])(
    'is not %p',
    (value) => {
      expect(StorageError.is(value)).toBe(false);
    },
  );
});

describe('from() makes one of', () => {
  it('an error that is one already: itself', () => {
    const error = new StorageError('NOT_FOUND', 'x');

    expect(StorageError.from(error, { storage: 'disk' })).toBe(error);
  });

  it('an abort, of whatever make: ABORTED', () => {
    const made = [
      new DOMException('x', 'AbortError'),
      Object.assign(new Error('x'), { name: 'AbortError' }),
      Object.assign(new Error('x'), { code: 'ABORT_ERR' }),
      AbortSignal.abort().reason as unknown,
    ];

    for (const abort of made) {
      expect(StorageError.from(abort, { storage: 'disk' })).toMatchObject({
        code: 'ABORTED',
        scope: 'local',
        storage: 'disk',
        cause: abort,
      });
    }
  });

  it('makes TIMEOUT of the end of AbortSignal.timeout', async () => {
    const signal = AbortSignal.timeout(1);
    await new Promise((resolve) => signal.addEventListener('abort', resolve));

    expect(StorageError.from(signal.reason)).toMatchObject({ code: 'TIMEOUT', retry: 'safe' });
  });

  it('an error with a code of the vocabulary: the same code, message and waiting time', () => {
    const error = Object.assign(new Error('slow down'), { code: 'RATE_LIMITED', retryAfterMs: 2000 });

    expect(StorageError.from(error, { scope: 'source', operation: 'open' })).toMatchObject({
      code: 'RATE_LIMITED',
      message: 'slow down',
      retry: 'after',
      retryAfterMs: 2000,
      scope: 'source',
      operation: 'open',
      cause: error,
    });
  });

  it('anything else: INTERNAL, with what it says', () => {
    expect(StorageError.from(new TypeError('x is not a function'))).toMatchObject({
      code: 'INTERNAL',
      message: 'x is not a function',
      retry: 'never',
    });
    for (const code of ['ENOENT', 'toString', '__proto__', 7]) {
      expect(StorageError.from(Object.assign(new Error('x'), { code })).code).toBe('INTERNAL');
    }
    for (const thrown of [undefined, null, 'text', 7]) {
      expect(StorageError.from(thrown)).toMatchObject({ code: 'INTERNAL', message: String(thrown) });
    }
  });
});

it('docs/errors.md lists exactly these codes, in this order, with the same meaning and advice', async () => {
  const page = await readFile(new URL('../../../docs/errors.md', import.meta.url), 'utf8');
  const text = page.split(/^## /m).find((section) => section.startsWith('Storages and transfers')) ?? '';

  const rows = [...text.matchAll(/^\| `([A-Z_]+)` *\| (.+?) *\| (\w+) *\| (.+?) *\|$/gm)];

  expect(rows.map(([, code, meaning, retry]) => ({ code, meaning, retry }))).toEqual(
    codes.map((code) => ({ code, meaning: STORAGE_ERRORS[code].meaning, retry: STORAGE_ERRORS[code].retry })),
  );
  for (const [, , , , todo] of rows) expect(todo).toMatch(/\w/);
  // every row of the table was read
  expect(text.split('\n').filter((line) => line.startsWith('|'))).toHaveLength(rows.length + 2);
});
