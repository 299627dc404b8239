import { expect, it } from '@jest/globals';
import { StorageError } from '../../src/index.ts';
import { CheckRun } from '../../src/plugin/index.ts';
import { rejection } from './rejection.ts';

it('reports its steps in their order, each with what it found', async () => {
  const run = new CheckRun();

  const went = [
    await run.step('options', () => 'Bucket films.'),
    await run.step('credentials', () => Promise.resolve('Those of the environment.')),
  ];

  expect(went).toEqual([true, true]);
  expect(run.report()).toEqual({
    ok: true,
    steps: [
      { name: 'options', ok: true, detail: 'Bucket films.' },
      { name: 'credentials', ok: true, detail: 'Those of the environment.' },
    ],
  });
});

it('goes on behind a step that failed, and says why it did', async () => {
  const run = new CheckRun();

  const went = [
    await run.step('reach', () => Promise.reject(new StorageError('PERMISSION_DENIED', 'Grant s3:ListBucket.'))),
    await run.step('throws at once', () => {
      throw new Error('No such bucket.');
    }),
    await run.step('after', () => 'Fine.'),
  ];

  expect(went).toEqual([false, false, true]);
  expect(run.report()).toEqual({
    ok: false,
    steps: [
      { name: 'reach', ok: false, detail: 'Grant s3:ListBucket.' },
      { name: 'throws at once', ok: false, detail: 'No such bucket.' },
      { name: 'after', ok: true, detail: 'Fine.' },
    ],
  });
});

it('shows no signature of a URL that an SDK complains of', async () => {
  const run = new CheckRun();

  await run.step('link', () => Promise.reject(new Error('GET https://films.example/a?X-Amz-Signature=secret failed')));

  expect(run.report().steps[0]?.detail).toBe('GET https://films.example/a?… failed');
});

it('tries no step once the signal has aborted', async () => {
  const reason = new Error('the page was closed');
  const run = new CheckRun(AbortSignal.abort(reason));
  let tried = false;

  const error = await rejection(run.step('reach', () => String((tried = true))));

  expect(error).toMatchObject({ code: 'ABORTED', cause: reason });
  expect(tried).toBe(false);
});

it('rejects with ABORTED rather than call a step bad that was aborted', async () => {
  const controller = new AbortController();
  const run = new CheckRun(controller.signal);

  const error = await rejection(
    run.step('reach', () => {
      controller.abort();
      return Promise.reject(new Error('socket hang up'));
    }),
  );

  expect(error).toMatchObject({ code: 'ABORTED' });
  expect(run.report().steps).toEqual([]);
  expect(run.signal).toBe(controller.signal);
});
