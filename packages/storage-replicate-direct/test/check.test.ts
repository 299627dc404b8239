import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type Setting, startSetting } from './setting.ts';

let setting: Setting;
beforeEach(async () => {
  setting = await startSetting();
});
afterEach(() => setting.close());

describe('the check', () => {
  it('of the configuration asks nobody', async () => {
    const report = await setting.store.check('config');

    expect(report).toEqual({ ok: true, steps: [{ name: 'API token', ok: true, detail: 'set' }] });
    expect(setting.api.requests).toEqual([]);
  });

  it('says what does not work without a token, and what to do', async () => {
    const store = setting.openWithoutToken();

    const report = await store.check('reach');

    expect(report.ok).toBe(false);
    expect(report.steps.map(({ ok }) => ok)).toEqual([false, false]);
    expect(report.steps[0]?.detail).toContain('apiToken');
    expect(setting.api.requests).toEqual([]);
  });

  it('of the reach asks the API once, for next to nothing', async () => {
    setting.succeed('https://replicate.delivery/a.mp4');

    const report = await setting.store.check('reach');

    expect(report.ok).toBe(true);
    expect(report.steps.map(({ name }) => name)).toEqual(['API token', 'API answers']);
    expect(setting.api.requests).toHaveLength(1);
    expect(setting.api.requests[0]?.search.has('created_after')).toBe(true);
  });

  it('of writing is that of the reach, and says that nothing can be written', async () => {
    const report = await setting.store.check('write');

    expect(report.ok).toBe(true);
    expect(report.steps.map(({ name }) => name)).toEqual(['API token', 'API answers', 'read-only']);
  });

  it.each([
    { trouble: 'a wrong token', answer: { status: 401 }, found: 'apiToken' },
    { trouble: 'an API in trouble', answer: { status: 503 }, found: '503' },
  ])('resolves and tells of $trouble', async ({ answer, found }) => {
    setting.api.answerNext(answer);

    const report = await setting.store.check('reach');

    expect(report.ok).toBe(false);
    expect(report.steps.at(-1)).toMatchObject({ name: 'API answers', ok: false });
    expect(report.steps.at(-1)?.detail).toContain(found);
  });

  it('resolves although it was aborted', async () => {
    const report = await setting.store.check('reach', { signal: AbortSignal.abort() });

    expect(report.ok).toBe(false);
  });
});
