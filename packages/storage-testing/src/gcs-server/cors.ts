import type { OutgoingHttpHeaders } from 'node:http';
import type { GcsBucket, GcsCors } from './object-store.ts';
import { answer, type Answer, headerOf, type WireRequest } from './wire.ts';

/** What a page may read of an answer: nothing at all unless the bucket's configuration names its origin and method. */
export function corsHeaders(bucket: GcsBucket, request: WireRequest): OutgoingHttpHeaders {
  const origin = headerOf(request, 'origin');
  const rule = origin === undefined ? undefined : ruleFor(bucket, origin, request.method);
  if (origin === undefined || !rule) return {};
  return {
    ...allowOrigin(rule, origin),
    ...(rule.responseHeader?.length ? { 'access-control-expose-headers': rule.responseHeader.join(', ') } : {}),
  };
}

/** A browser's question before the request; without a rule the answer is 200, too, and grants nothing. */
export function preflight(bucket: GcsBucket, request: WireRequest): Answer {
  const origin = headerOf(request, 'origin') ?? '';
  const method = headerOf(request, 'access-control-request-method') ?? '';
  const rule = ruleFor(bucket, origin, method);
  const granted = rule?.responseHeader?.map((name) => name.toLowerCase()) ?? [];
  const asked = (headerOf(request, 'access-control-request-headers') ?? '')
    .split(',')
    .flatMap((name) => name.trim() || []);
  if (!rule || !asked.every((name) => granted.includes(name.toLowerCase()))) return answer(200);
  return answer(200, {
    ...allowOrigin(rule, origin),
    'access-control-allow-methods': rule.method.join(', '),
    ...(granted.length > 0 ? { 'access-control-allow-headers': rule.responseHeader?.join(', ') } : {}),
    'access-control-max-age': String(rule.maxAgeSeconds ?? 3600),
  });
}

function ruleFor(bucket: GcsBucket, origin: string, method: string): GcsCors | undefined {
  return bucket.options.cors?.find(
    (rule) =>
      (rule.origin.includes('*') || rule.origin.includes(origin)) &&
      (rule.method.includes('*') || rule.method.includes(method)),
  );
}

const allowOrigin = (rule: GcsCors, origin: string): OutgoingHttpHeaders =>
  rule.origin.includes('*')
    ? { 'access-control-allow-origin': '*' }
    : { 'access-control-allow-origin': origin, vary: 'Origin' };
