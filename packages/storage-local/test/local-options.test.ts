import { describe, expect, it } from '@jest/globals';
import { LocalStorage, type LocalStorageOptions } from '../src/index.ts';

const key = 'k'.repeat(32);
const baseUrl = 'https://films.example.com/objects';

describe('options', () => {
  it.each([
    { options: { root: '' }, says: 'root must be the path of a folder, and is ""' },
    { options: {}, says: 'root must be the path of a folder, and is missing' },
    { options: { root: 7 }, says: 'root must be the path of a folder, and is 7' },
    { options: { root: 'a\0b' }, says: 'root must be the path of a folder' },
    { options: undefined, says: 'options must be an object with root' },
    { options: { root: '/x', folder: '/y' }, says: 'folder is no option' },
    { options: { root: '/x', links: {} }, says: 'links.baseUrl must be an http or https URL' },
    { options: { root: '/x', links: { baseUrl: '/objects', key } }, says: 'and is "/objects"' },
    { options: { root: '/x', links: { baseUrl: 'ftp://h/', key } }, says: 'links.baseUrl must be' },
    { options: { root: '/x', links: { baseUrl: 'https://u:p@h/', key } }, says: 'links.baseUrl must be' },
    { options: { root: '/x', links: { baseUrl: 'https://h/?a=1', key } }, says: 'links.baseUrl must be' },
    { options: { root: '/x', links: { baseUrl, key, more: 1 } }, says: 'links.more is no option' },
  ])('$options are refused at start: $says', ({ options, says }) => {
    const start = () => new LocalStorage('disk', options as unknown as LocalStorageOptions);

    expect(start).toThrow(expect.objectContaining({ code: 'INVALID_CONFIG', storage: 'disk', scope: 'local' }));
    expect(start).toThrow(says);
    expect(start).toThrow('Storage "disk"');
  });

  it('never repeat a key that is too short', () => {
    const start = () => new LocalStorage('disk', { root: '/x', links: { baseUrl, key: 'hunter2' } });

    expect(start).toThrow('links.key must be a secret of at least 32 characters, and is 7 characters long');
    expect(start).not.toThrow('hunter2');
  });

  it('take a base URL with or without a slash at its end', async () => {
    for (const url of [baseUrl, `${baseUrl}/`]) {
      const store = new LocalStorage('disk', { root: '/x', links: { baseUrl: url, key } });
      expect((await store.resolveUrl('a')).url).toMatch(/^https:\/\/films\.example\.com\/objects\/a\?expires=/);
    }
  });
});
