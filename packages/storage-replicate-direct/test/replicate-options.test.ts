import { describe, expect, it } from '@jest/globals';
import { parseReplicateDirectOptions, type ReplicateDirectOptions } from '../src/index.ts';
import { errorOf, everythingIn } from './errors.ts';

describe('the options', () => {
  it('have defaults that read from Replicate itself', () => {
    expect(parseReplicateDirectOptions({})).toEqual({
      apiUrl: 'https://api.replicate.com',
      allowedHosts: ['replicate.delivery', '*.replicate.delivery'],
      allowedPrivateAddresses: [],
      maxBytes: 2 * 1024 ** 3,
      retentionMinutes: 60,
    });
  });

  it.each([
    { option: 'apiUrl', value: 'api.replicate.com', allowed: 'https URL' },
    { option: 'apiUrl', value: 'http://api.replicate.com', allowed: 'https URL' },
    { option: 'apiUrl', value: 'https://user:pass@api.replicate.com', allowed: 'https URL' },
    { option: 'apiUrl', value: 'https://api.replicate.com:8443', allowed: 'without port' },
    { option: 'apiUrl', value: 'http://127.0.0.1:3000', allowed: 'allowedPrivateAddresses' },
    { option: 'allowedHosts', value: 'replicate.delivery', allowed: 'list of host names' },
    { option: 'allowedHosts.0', value: ['https://replicate.delivery'], allowed: 'host name' },
    { option: 'allowedHosts.1', value: ['a.example', '*.*.example'], allowed: 'host name' },
    { option: 'allowedPrivateAddresses.0', value: ['localhost'], allowed: 'IP address' },
    { option: 'maxBytes', value: 0, allowed: 'at least 1' },
    { option: 'maxBytes', value: 1.5, allowed: 'whole number' },
    { option: 'maxBytes', value: '1GB', allowed: 'whole number' },
    { option: 'retentionMinutes', value: 0, allowed: 'more than 0' },
    { option: 'retentionMinutes', value: '60', allowed: 'more than 0' },
    { option: 'ca', value: '/etc/ca.pem', allowed: 'PEM' },
  ])('refuse $option $value, saying what is allowed', async ({ option, value, allowed }) => {
    const [name = ''] = option.split('.');

    const error = await errorOf(() => parseReplicateDirectOptions({ [name]: value }));

    expect(error.code).toBe('INVALID_CONFIG');
    expect(error.message).toContain(`option ${option} is `);
    expect(error.message).toContain(allowed);
    const index = option.split('.')[1];
    const shown = JSON.stringify(index === undefined ? value : (value as string[])[Number(index)]);
    if (!shown.includes('user:pass')) expect(error.message).toContain(shown);
  });

  it('name an option that does not exist and those that do', async () => {
    const options = { apitoken: 'x' } as ReplicateDirectOptions;

    const error = await errorOf(() => parseReplicateDirectOptions(options));

    expect(error).toMatchObject({ code: 'INVALID_CONFIG' });
    expect(error.message).toContain('no option apitoken');
    expect(error.message).toContain('apiToken');
  });

  it('never show a bad token', async () => {
    const error = await errorOf(() => parseReplicateDirectOptions({ apiToken: 'r8_PLANTED\n' }));

    expect(error.message).toContain('apiToken');
    expect(everythingIn(error)).not.toContain('PLANTED');
  });

  it('allow http for the API on a listed private address, IPv6 too', () => {
    for (const [apiUrl, address] of [
      ['http://127.0.0.1:3000', '127.0.0.1'],
      ['http://[::1]:3000', '::1'],
    ] as const) {
      expect(parseReplicateDirectOptions({ apiUrl, allowedPrivateAddresses: [address] }).apiUrl).toBe(apiUrl);
    }
  });
});
