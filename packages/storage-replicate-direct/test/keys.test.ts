import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { errorOf } from './errors.ts';
import { ID, type Setting, startSetting } from './setting.ts';

let setting: Setting;
beforeEach(async () => {
  setting = await startSetting();
});
afterEach(() => setting.close());

describe('a key', () => {
  it.each([
    '',
    'scene.mp4',
    'films/1/scene.mp4',
    '15EYANAR9XRG80CKD3YTDZ0HHR',
    'tooshort',
    'a'.repeat(41),
    `replicate:${ID}`,
    `${ID}\n`,
    '../v1/account',
    'https://',
    'ftp://replicate.delivery/a.mp4',
    'data:video/mp4;base64,AAAA',
  ])('is never %j', async (key) => {
    const { store } = setting;

    for (const call of [
      () => store.head(key),
      () => store.open(key),
      () => store.resolveUrl(key),
      () => store.locate(key),
    ]) {
      expect(await errorOf(call)).toMatchObject({ code: 'INVALID_KEY', storage: 'direct' });
    }
    expect(setting.api.requests).toEqual([]);
  });

  it.each([
    'http://replicate.delivery/a.mp4',
    'http://10.0.0.1/a.mp4',
    'https://user:pass@replicate.delivery/a.mp4',
    'https://example.com/a.mp4',
  ])('that is a URL is not always allowed: %s', async (key) => {
    const { store } = setting;

    for (const call of [() => store.head(key), () => store.open(key), () => store.resolveUrl(key)]) {
      expect(await errorOf(call)).toMatchObject({ code: 'FORBIDDEN_URL', storage: 'direct' });
    }
    expect(store.locate(key)).not.toContain('pass');
  });

  it('names an address: the prediction in the API, or the URL without its query', () => {
    expect(setting.store.locate(ID)).toBe(`${setting.api.origin}/v1/predictions/${ID}`);
    expect(setting.store.locate('https://replicate.delivery/a%20b.mp4?signature=x')).toBe(
      'https://replicate.delivery/a%20b.mp4?…',
    );
  });

  it('cannot be written or deleted', async () => {
    const body = { chunks: (async function* () {})() };

    expect((await errorOf(() => setting.store.put(ID, body))).code).toBe('UNSUPPORTED');
    expect((await errorOf(() => setting.store.delete(ID))).code).toBe('UNSUPPORTED');
  });
});
