import type { S3Credentials, S3Settings } from './s3-options.ts';

/** A function of the user's may fail in any words, which are not those of S3 about the bucket: they mean that keys are missing. */
export function credentialsOf({ credentials }: S3Settings): S3Settings['credentials'] {
  if (typeof credentials !== 'function') return credentials;
  // the SDK tells its own providers which region it is for
  const given: (...told: unknown[]) => Promise<S3Credentials> = credentials;
  return async (...told: unknown[]) => {
    try {
      const keys = await given(...told);
      if (keys?.accessKeyId && keys.secretAccessKey) return keys;
      throw new Error('the function credentials gave no accessKeyId or no secretAccessKey');
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw Object.assign(new Error(why, { cause }), { name: 'CredentialsProviderError' });
    }
  };
}
