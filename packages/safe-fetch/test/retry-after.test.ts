import { expect, it } from '@jest/globals';
import { retryAfterMs } from '../src/retry-after.ts';

const NOW = Date.parse('2026-11-22T12:00:00Z');

it.each([
  { header: '2', ms: 2_000 },
  { header: '0', ms: 0 },
  { header: '1.5', ms: 1_500 },
  { header: 'Sun, 22 Nov 2026 12:00:30 GMT', ms: 30_000 },
  { header: 'Sun, 22 Nov 2026 11:00:00 GMT', ms: 0 },
  { header: '99999999', ms: 86_400_000 },
  { header: 'soon', ms: undefined },
  { header: undefined, ms: undefined },
])('Retry-After: $header is $ms ms', ({ header, ms }) => {
  expect(retryAfterMs(header, NOW)).toBe(ms);
});
