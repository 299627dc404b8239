import { StorageError } from '../storage-error.ts';

/** Of zod's issues, what is read here; its `message` says what the option allows. */
export interface OptionIssue {
  readonly code?: string | undefined;
  readonly path: readonly PropertyKey[];
  readonly message: string;
  readonly keys?: readonly string[];
}

/**
 * One error for everything that is wrong with a plugin's options: each by name, with its value and what is allowed.
 *
 * @param id of the storage
 * @param secret whether the value of the option of this name, and what is in it, must not be shown
 */
export function invalidOptions(
  id: string,
  issues: readonly OptionIssue[],
  options: unknown,
  secret: (name: string) => boolean = () => false,
): StorageError {
  const complaints = issues.map((issue) => complaint(issue, options, secret));
  return new StorageError('INVALID_CONFIG', `Storage "${id}" cannot start: ${[...new Set(complaints)].join('; ')}.`, {
    scope: 'local',
    storage: id,
  });
}

function complaint(issue: OptionIssue, options: unknown, secret: (name: string) => boolean): string {
  if (issue.code === 'unrecognized_keys' && issue.keys) {
    return `${issue.keys.map((key) => [...issue.path, key].join('.')).join(', ')} is no option`;
  }
  const value = issue.path.reduce<unknown>(
    (object, name) => (typeof object === 'object' && object !== null ? Reflect.get(object, name) : undefined),
    options,
  );
  const hidden = issue.path.some((name) => secret(String(name)));
  return `${issue.path.join('.') || 'options'} must be ${issue.message}, and is ${shown(value, hidden)}`;
}

function shown(value: unknown, secret: boolean): string {
  if (value === undefined) return 'missing';
  if (typeof value === 'string')
    return secret ? `${value.length} characters long` : JSON.stringify(value.slice(0, 200));
  if (!secret && (typeof value === 'number' || typeof value === 'boolean')) return String(value);
  return `of type ${value === null ? 'null' : typeof value}`;
}
