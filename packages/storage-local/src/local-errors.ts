import { StorageError, type StorageErrorCode, type StorageErrorDetails } from '@paradoxon/storage';

/** What the operating system's refusals mean here. One that is missing is a defect of ours: `INTERNAL`. */
const MEANINGS: Readonly<Record<string, readonly [code: StorageErrorCode, text: string]>> = {
  // an absent object is said where it is looked for; this is a folder that vanished or cannot be made
  ENOENT: [
    'UNAVAILABLE',
    'lost a folder, or cannot have one made; look whether its disk is mounted and the option root is right',
  ],
  EEXIST: ['ALREADY_EXISTS', 'already has this object'],
  ENOTDIR: ['INVALID_KEY', 'has an object where this key needs a folder'],
  EISDIR: ['INVALID_KEY', 'has a folder with objects where this key needs a file'],
  ELOOP: ['INVALID_KEY', 'has a symbolic link there, and follows none'],
  ENAMETOOLONG: ['INVALID_KEY', 'is on a file system that allows no name of this length'],
  EILSEQ: ['INVALID_KEY', 'is on a file system that does not allow this name'],
  EACCES: ['PERMISSION_DENIED', 'may not be used like this by the user of this process; change its owner or mode'],
  EPERM: ['PERMISSION_DENIED', 'may not be used like this by the user of this process; change its owner or mode'],
  EROFS: [
    'PERMISSION_DENIED',
    'is on a read-only file system; mount it for writing, or set the option root to another folder',
  ],
  ENOSPC: ['QUOTA_EXCEEDED', 'is on a full disk; free some space or move it to a larger one'],
  EDQUOT: ['QUOTA_EXCEEDED', 'has used up the disk quota of its owner'],
  EFBIG: ['TOO_LARGE', 'is on a file system that allows no file of this size'],
  EXDEV: ['INVALID_CONFIG', 'spans several file systems; files move into place only within one'],
  ENOTSUP: ['UNSUPPORTED', 'is on a file system without hard links, which create-only writes need'],
  EOPNOTSUPP: ['UNSUPPORTED', 'is on a file system without hard links, which create-only writes need'],
  EMFILE: ['UNAVAILABLE', 'cannot have more files opened now; raise the limit of open files'],
  ENFILE: ['UNAVAILABLE', 'cannot have more files opened now; raise the limit of open files'],
  ENOMEM: ['UNAVAILABLE', 'is not served now: the machine is out of memory'],
  EBUSY: ['UNAVAILABLE', 'is busy'],
  EIO: ['UNAVAILABLE', 'is on a disk that reports errors'],
  ESTALE: ['UNAVAILABLE', 'is on a network share that was mounted anew'],
  ETIMEDOUT: ['UNAVAILABLE', 'is on a network share that does not answer'],
  EHOSTDOWN: ['UNAVAILABLE', 'is on a network share that does not answer'],
  ENOTCONN: ['UNAVAILABLE', 'is on a share that is not connected'],
  ENODEV: ['UNAVAILABLE', 'is on a disk that is gone'],
  ENXIO: ['UNAVAILABLE', 'is on a disk that is gone'],
};

export interface LocalCall extends StorageErrorDetails {
  readonly storage: string;
  readonly root: string;
  readonly operation: string;
}

/** Any error of a call on a folder as a StorageError that names storage, operation and key. */
export function toStorageError(error: unknown, call: LocalCall): StorageError {
  const { root, ...details } = call;
  if (StorageError.is(error)) {
    if (error.storage !== undefined) return error;
    const { scope, committed } = error;
    return new StorageError(error.code, error.message, { scope, committed, ...details, cause: error.cause });
  }
  const meaning = MEANINGS[errnoOf(error) ?? ''];
  if (!meaning) return StorageError.from(error, details);
  const [code, text] = meaning;
  const what = [call.operation, call.key].filter(Boolean).join(' ');
  return new StorageError(code, `Storage "${call.storage}" (${root}) ${text}: ${what} (${errnoOf(error)}).`, {
    ...details,
    cause: error,
  });
}

/** 'ENOENT', … of an error of the operating system. */
export function errnoOf(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('errno' in error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

/** `undefined` in the place of one of these refusals. */
export async function unless<T>(errnos: readonly string[], work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (errnos.includes(errnoOf(error) ?? '')) return undefined;
    throw error;
  }
}
