import { invalidOptions } from '@paradoxon/storage/plugin';
import { z } from 'zod';

export interface LocalStorageOptions {
  /** Folder that holds the objects; made by the first write. Relative to the working directory of the process. */
  readonly root: string;
  /** Lets `resolveUrl` issue signed links, which `serveLink` then answers. */
  readonly links?: {
    /** Where `serveLink` is mounted, as clients reach it: `https://films.example.com/v1/storages/disk/objects` */
    readonly baseUrl: string;
    /** Secret that signs the links, at least 32 characters; every process that serves them needs the same. */
    readonly key: string;
  };
}

const MIN_KEY_CHARACTERS = 32;
const FOLDER = 'the path of a folder';
const BASE_URL = 'an http or https URL without user, query and fragment';
const KEY = `a secret of at least ${MIN_KEY_CHARACTERS} characters`;

/** The message of a failed check is what the option allows. */
const optionsSchema = z.strictObject(
  {
    root: z
      .string(FOLDER)
      .min(1, FOLDER)
      .refine((root) => !root.includes('\0'), FOLDER),
    links: z
      .strictObject(
        {
          baseUrl: z
            .string(BASE_URL)
            .refine(isBaseUrl, BASE_URL)
            .transform((url) => url.replace(/\/+$/, '')),
          key: z.string(KEY).min(MIN_KEY_CHARACTERS, KEY),
        },
        'an object with baseUrl and key',
      )
      .optional(),
  },
  'an object with root and, for signed links, links',
);

/**
 * @param id of the storage, for the message
 * @returns the options, `baseUrl` without a trailing slash
 * @throws StorageError `INVALID_CONFIG` naming every bad option, its value (never a key) and what is allowed
 */
export function parseLocalOptions(id: string, options: LocalStorageOptions): LocalStorageOptions {
  const parsed = optionsSchema.safeParse(options);
  if (parsed.success) {
    const { root, links } = parsed.data;
    return { root, ...(links ? { links } : {}) };
  }
  throw invalidOptions(id, parsed.error.issues, options, (name) => name === 'key');
}

function isBaseUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, username, password } = new URL(text);
  return /^https?:$/.test(protocol) && username === '' && password === '' && !/[?#]/.test(text);
}
