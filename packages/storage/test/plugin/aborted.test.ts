import { getEventListeners } from 'node:events';
import { describe, expect, it } from '@jest/globals';
import { abortedError, assertNotAborted, untilAborted } from '../../src/plugin/index.ts';
import { rejection } from './rejection.ts';

const reason = new Error('the film was deleted');
const never = new Promise<never>(() => undefined);
const broken = new Error('broken');

const listeners = (signal: AbortSignal): number => getEventListeners(signal, 'abort').length;

describe('untilAborted', () => {
  it.each([
    { title: 'a signal', signal: new AbortController().signal },
    { title: 'no signal', signal: undefined },
  ])('is what the step is when there is $title and nobody aborts', async ({ signal }) => {
    expect(await untilAborted(Promise.resolve('done'), signal)).toBe('done');
    expect(await rejection(untilAborted(Promise.reject(broken), signal))).toBe(broken);
  });

  it('rejects at once when the signal aborts while the step stalls', async () => {
    const controller = new AbortController();

    const step = rejection(untilAborted(never, controller.signal));
    controller.abort(reason);

    expect(await step).toMatchObject({ code: 'ABORTED', scope: 'local', cause: reason });
  });

  it('rejects with the error of the caller when it has one', async () => {
    const late = new Error('too late');

    const error = await rejection(
      untilAborted(never, AbortSignal.abort(reason), ({ reason: why }) => {
        late.cause = why;
        return late;
      }),
    );

    expect(error).toBe(late);
    expect(late.cause).toBe(reason);
  });

  it('rejects when the signal has aborted before, though the step has succeeded', async () => {
    const error = await rejection(untilAborted(Promise.resolve('done'), AbortSignal.abort(reason)));

    expect(error).toMatchObject({ code: 'ABORTED', cause: reason });
  });

  it('leaves no listener on the signal, however the step ends', async () => {
    const controller = new AbortController();
    const { signal } = controller;

    for (let step = 0; step < 100; step += 1) {
      await untilAborted(Promise.resolve(), signal);
      await rejection(untilAborted(Promise.reject(broken), signal));
    }
    const afterSteps = listeners(signal);
    const stalled = rejection(untilAborted(never, signal));
    const during = listeners(signal);
    controller.abort();
    await stalled;
    const afterAbort = listeners(signal);
    await rejection(untilAborted(never, signal));

    expect([afterSteps, during, afterAbort, listeners(signal)]).toEqual([0, 1, 0, 0]);
  });

  it('hears no complaint of a step that fails when nobody waits for it any more', async () => {
    const controller = new AbortController();
    const step = Promise.withResolvers<never>();

    const outcome = rejection(untilAborted(step.promise, controller.signal));
    controller.abort();
    const error = await outcome;
    // Jest fails the test when a rejection is unhandled
    step.reject(broken);
    await new Promise((resolve) => setImmediate(resolve));

    expect(error).toMatchObject({ code: 'ABORTED' });
  });
});

it('assertNotAborted throws ABORTED with the reason, and only when it is so', () => {
  const thrown = ((): unknown => {
    try {
      return assertNotAborted(AbortSignal.abort(reason));
    } catch (error) {
      return error;
    }
  })();

  expect(thrown).toMatchObject({ code: 'ABORTED', scope: 'local', retry: 'safe', cause: reason });
  expect(() => assertNotAborted(new AbortController().signal)).not.toThrow();
  expect(() => assertNotAborted(undefined)).not.toThrow();
});

it('abortedError keeps the reason', () => {
  expect(abortedError(AbortSignal.abort(reason))).toMatchObject({ code: 'ABORTED', cause: reason });
});
