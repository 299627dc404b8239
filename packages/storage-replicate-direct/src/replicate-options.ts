import { isIP } from 'node:net';
import { StorageError } from '@paradoxon/storage';
import { z } from 'zod';

export interface ReplicateDirectOptions {
  /** For prediction ids only; a video URL is fetched without it. Sent to `apiUrl` and nowhere else. */
  readonly apiToken?: string;
  /** Default `https://api.replicate.com`. */
  readonly apiUrl?: string;
  /**
   * Where videos may lie: exact names, `*.example.com` (any subdomain, not the name itself) or `*` (any public host).
   * Default `replicate.delivery` and `*.replicate.delivery`; configurable because outputs have been seen elsewhere
   * (`storage.googleapis.com`, August 2024).
   */
  readonly allowedHosts?: readonly string[];
  /** IP addresses, otherwise refused, that may be reached, over http too: for tests and local runs. */
  readonly allowedPrivateAddresses?: readonly string[];
  /** Largest video, bytes. Default 2 GiB. */
  readonly maxBytes?: number;
  /** How long Replicate keeps an output. Default 60. */
  readonly retentionMinutes?: number;
  /** Extra CA certificates, PEM. */
  readonly ca?: string;
}

export type ParsedReplicateDirectOptions = z.output<typeof optionsSchema>;

const HOST_PATTERN = /^(\*|(\*\.)?[a-z0-9-]+(\.[a-z0-9-]+)*)$/;
const GiB = 1024 ** 3;

/** The message of a failed check is what the option allows. */
const optionsSchema = z
  .strictObject({
    apiToken: z
      .string('a Replicate API token')
      .regex(/^[\x21-\x7e]+$/, 'a Replicate API token: printable ASCII without spaces')
      .optional(),
    apiUrl: z.string('an https URL').default('https://api.replicate.com'),
    allowedHosts: z
      .array(
        z.string().regex(HOST_PATTERN, 'a host name in lower case, "*.example.com", or "*"'),
        'a list of host names in lower case, "*.example.com", or "*"',
      )
      .default(['replicate.delivery', '*.replicate.delivery']),
    allowedPrivateAddresses: z
      .array(
        z.string().refine((address) => isIP(address) !== 0, 'an IP address such as 127.0.0.1'),
        'a list of IP addresses',
      )
      .default([]),
    maxBytes: z
      .int('a whole number of bytes')
      .min(1, 'a whole number of bytes, at least 1')
      .default(2 * GiB),
    retentionMinutes: z.number('minutes, more than 0').positive('minutes, more than 0').default(60),
    ca: z.string('certificates in PEM').includes('-----BEGIN CERTIFICATE-----', 'certificates in PEM').optional(),
  })
  .superRefine(({ apiUrl, allowedPrivateAddresses }, context) => {
    if (isApiUrl(apiUrl, allowedPrivateAddresses)) return;
    context.addIssue({
      code: 'custom',
      path: ['apiUrl'],
      message:
        'an https URL without port, user name, query or fragment ' +
        '(http and a port only on an address of allowedPrivateAddresses)',
    });
  });

/**
 * Checks the options and fills in the defaults.
 * @throws StorageError `INVALID_CONFIG` naming the option, its value (never the token's) and what is allowed
 */
export function parseReplicateDirectOptions(options: ReplicateDirectOptions): ParsedReplicateDirectOptions {
  const parsed = optionsSchema.safeParse(options, { reportInput: true });
  if (parsed.success) return parsed.data;
  throw new StorageError('INVALID_CONFIG', parsed.error.issues.map(issueText).join(' '), { scope: 'local' });
}

function issueText(issue: z.core.$ZodIssue): string {
  if (issue.code === 'unrecognized_keys') {
    return `replicate-direct has no option ${issue.keys.join(', ')}. Allowed: ${Object.keys(optionsSchema.shape).join(', ')}.`;
  }
  const option = issue.path.join('.');
  if (option === '') return `The options of replicate-direct are ${typeof issue.input}. Allowed: an object.`;
  return `replicate-direct option ${option} is ${shown(option, issue.input)}. Allowed: ${issue.message}.`;
}

function shown(option: string, value: unknown): string {
  if (option === 'apiToken') return 'not a token (value not shown)';
  return (JSON.stringify(value) ?? typeof value).slice(0, 200);
}

function isApiUrl(text: string, privateAddresses: readonly string[]): boolean {
  const url = URL.parse(text);
  if (!url || url.username || url.password || url.search || url.hash) return false;
  const onListedAddress = isListedAddress(url.hostname, privateAddresses);
  return (
    (url.protocol === 'https:' && (url.port === '' || onListedAddress)) || (url.protocol === 'http:' && onListedAddress)
  );
}

/** Whether a URL's hostname is one of these IP addresses; an IPv6 one stands in brackets there. */
function isListedAddress(hostname: string, addresses: readonly string[]): boolean {
  return addresses.includes(hostname.replace(/^\[|\]$/g, ''));
}
