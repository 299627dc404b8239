import { describe, expect, it } from '@jest/globals';
import { RequestGate } from '../src/request-gate.ts';
import { errorOf } from './errors.ts';

describe('the request gate', () => {
  it('lets calls pass at the same time while nobody asked for a pause', async () => {
    const gate = new RequestGate();
    const release = Promise.withResolvers<void>();
    const first = gate.pass(() => release.promise);

    await gate.pass(() => Promise.resolve());

    release.resolve();
    await first;
  });

  it('lets nobody pass before the pause is over, and then one after the other', async () => {
    const gate = new RequestGate();
    const pauseEnd = Date.now() + 150;
    gate.pause(150);
    const log: string[] = [];
    const call = (name: string) => async () => {
      expect(Date.now()).toBeGreaterThanOrEqual(pauseEnd);
      log.push(`${name} in`);
      await new Promise((resolve) => setTimeout(resolve, 20));
      log.push(`${name} out`);
    };

    await Promise.all(['a', 'b', 'c'].map((name) => gate.pass(call(name))));

    expect(log).toEqual(['a in', 'a out', 'b in', 'b out', 'c in', 'c out']);
  });

  it('holds the others back when the first one after a pause is told to pause again', async () => {
    const gate = new RequestGate();
    gate.pause(50);
    let secondPauseEnd = 0;
    const first = gate.pass(() => {
      secondPauseEnd = Date.now() + 100;
      gate.pause(100);
      return Promise.resolve();
    });

    await gate.pass(() => Promise.resolve());

    await first;
    expect(Date.now()).toBeGreaterThanOrEqual(secondPauseEnd);
  });

  it('reports a long pause instead of waiting for it', async () => {
    const gate = new RequestGate();
    gate.pause(3_600_000);

    const error = await errorOf(() => gate.pass(() => Promise.reject(new Error('called'))));

    expect(error.code).toBe('RATE_LIMITED');
    expect(error.retryAfterMs).toBeGreaterThan(3_590_000);
  });

  it('stops waiting at once when the caller aborts, in the pause and in the queue', async () => {
    const gate = new RequestGate();
    gate.pause(300);
    const abort = new AbortController();
    const calls: string[] = [];
    const pass = (name: string, signal?: AbortSignal) =>
      gate.pass(() => {
        calls.push(name);
        return Promise.resolve();
      }, signal);
    const waiting = [pass('in the pause', abort.signal), pass('in the queue', abort.signal)];
    const patient = pass('patient');

    abort.abort();
    const settled = await Promise.allSettled(waiting);

    expect(settled.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect(calls).toEqual([]);
    await patient;
    expect(calls).toEqual(['patient']);
  });

  it('keeps the order when somebody in the middle of the queue aborts', async () => {
    const gate = new RequestGate();
    gate.pause(30);
    const release = Promise.withResolvers<void>();
    const first = gate.pass(() => release.promise);
    const abort = new AbortController();
    const second = gate.pass(() => Promise.resolve(), abort.signal).catch(() => 'aborted');
    let thirdCalled = false;
    const third = gate.pass(() => Promise.resolve((thirdCalled = true)));

    abort.abort();
    expect(await second).toBe('aborted');
    await new Promise((resolve) => setTimeout(resolve, 60));

    expect(thirdCalled).toBe(false);
    release.resolve();
    await Promise.all([first, third]);
  });

  it('lets nobody who comes later overtake the queue', async () => {
    const gate = new RequestGate();
    gate.pause(30);
    const release = Promise.withResolvers<void>();
    const first = gate.pass(() => release.promise);
    await new Promise((resolve) => setTimeout(resolve, 60));
    let laterCalled = false;

    const later = gate.pass(() => Promise.resolve((laterCalled = true)));

    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(laterCalled).toBe(false);
    release.resolve();
    await Promise.all([first, later]);
  });

  it('goes on after a call that failed', async () => {
    const gate = new RequestGate();
    gate.pause(20);
    const failing = gate.pass(() => Promise.reject(new Error('broken'))).catch(() => 'failed');

    expect(await gate.pass(() => Promise.resolve('passed'))).toBe('passed');

    expect(await failing).toBe('failed');
  });
});
