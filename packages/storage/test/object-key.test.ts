import { describe, expect, it } from '@jest/globals';
import { assertObjectKey, isObjectKey, MAX_KEY_BYTES, MAX_SEGMENT_BYTES } from '../src/index.ts';

const segment = 's'.repeat(MAX_SEGMENT_BYTES);

describe('an object key', () => {
  it.each([
    'a',
    'films/f1/scene-001.mp4',
    "!@#$%^&()_+-=;', {}[]~`",
    '%2e%2e/%2F',
    '?query#fragment',
    ' leading and trailing space ',
    '.hidden/..two/a.b',
    'a:b|c*d<e>f"g',
    'Ünï/çø∂é/映画/🎬',
    'e\u0301 and \u00e9',
    'C:/films',
    '__proto__/constructor',
    segment,
    `${segment}/${segment}/${segment}/${segment}`,
    '映'.repeat(85),
    Array<string>(254).fill('a').join('/'),
  ])('may be %j, and stays as it is', (key) => {
    expect(assertObjectKey(key)).toBe(key);
    expect(isObjectKey(key)).toBe(true);
  });

  it.each([
    { key: '', why: 'is empty' },
    { key: '/', why: "starts or ends with '/'" },
    { key: '/films', why: "starts or ends with '/'" },
    { key: 'films/', why: "starts or ends with '/'" },
    { key: 'films//1', why: "contains '//'" },
    { key: '.', why: "is '.' or '..'" },
    { key: '..', why: "is '.' or '..'" },
    { key: '../secret', why: "is '.' or '..'" },
    { key: 'films/../../secret', why: "is '.' or '..'" },
    { key: 'films/./1', why: "is '.' or '..'" },
    { key: 'films/1.', why: 'ends with a dot' },
    { key: 'films./1', why: 'ends with a dot' },
    { key: 'films\\1', why: 'backslash' },
    { key: 'films\0', why: 'control character' },
    { key: 'films\r\nx-header: 1', why: 'control character' },
    { key: 'films\t1', why: 'control character' },
    { key: 'films\u007f', why: 'control character' },
    { key: 'films\u0085', why: 'control character' },
    { key: 'films/\ud800', why: 'not well-formed Unicode' },
    { key: `${segment}s`, why: 'a segment longer than 255 bytes' },
    { key: '映'.repeat(86), why: 'a segment longer than 255 bytes' },
    { key: `${segment}/${segment}/${segment}/${segment}/s`, why: `longer than ${MAX_KEY_BYTES} bytes` },
    { key: Array<string>(255).fill('a').join('/'), why: 'more than 254 segments' },
  ])('may not be $key: it $why', ({ key, why }) => {
    const check = () => assertObjectKey(key);

    expect(check).toThrow(expect.objectContaining({ code: 'INVALID_KEY', scope: 'local', retry: 'never' }));
    expect(check).toThrow(why);
    expect(isObjectKey(key)).toBe(false);
  });

  it.each([undefined, null, 7, {}, ['a']])('may not be %j, which JavaScript callers can pass', (key) => {
    expect(() => assertObjectKey(key as string)).toThrow(expect.objectContaining({ code: 'INVALID_KEY' }));
  });

  it('is shown in the message so that its control characters can be seen, and not in full length', () => {
    expect(() => assertObjectKey('films\n1')).toThrow('"films\\n1"');
    expect(() => assertObjectKey('x'.repeat(100_000))).toThrow(/^.{1,300}$/);
  });
});
