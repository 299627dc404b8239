/**
 * Azure takes only names that are identifiers, without dashes and not beginning with a digit; the contract's names are
 * `[a-z0-9-]+`. A dash becomes an underscore, which no name of the contract has. A digit in front gets `n_` before it, and so
 * does a name that begins with `n-`, which otherwise would look the same.
 */
export function toAzureMetadata(metadata: Readonly<Record<string, string>> = {}): Record<string, string> {
  return renamed(metadata, (name) => (/^(?:\d|n-)/.test(name) ? `n-${name}` : name).replaceAll('-', '_'));
}

/** The same back. The names of blobs that others wrote come in lower case, as HTTP headers do. */
export function fromAzureMetadata(metadata: Readonly<Record<string, string>> = {}): Record<string, string> {
  return renamed(metadata, (name) => name.toLowerCase().replace(/^n_/, '').replaceAll('_', '-'));
}

function renamed(metadata: Readonly<Record<string, string>>, rename: (name: string) => string): Record<string, string> {
  return Object.fromEntries(Object.entries(metadata).map(([name, value]) => [rename(name), value]));
}
