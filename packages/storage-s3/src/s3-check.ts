import {
  AbortMultipartUploadCommand,
  CreateMultipartUploadCommand,
  GetBucketLifecycleConfigurationCommand,
  ListObjectsV2Command,
} from '@aws-sdk/client-s3';
import { type CheckLevel, type CheckReport, StorageError, type StoragePlugin } from '@paradoxon/storage';
import { checkEndpoint, CheckRun, checkWithCanary } from '@paradoxon/storage/plugin';
import type { S3Bucket, Work } from './s3-bucket.ts';

const CORS = 'Should they, add a CORS rule to the bucket that allows GET and HEAD from the pages.';

const CREATE_ONLY = 'Set conditionalWrites to false.';

/** Each level does what the levels before it do. @throws StorageError `ABORTED`, nothing else */
export async function checkBucket(
  store: StoragePlugin,
  bucket: S3Bucket,
  level: CheckLevel,
  signal?: AbortSignal,
): Promise<CheckReport> {
  const run = new CheckRun(signal);
  const work: Work = { operation: 'check', signal };
  await run.step('options', () => optionsOf(bucket));
  if (
    level !== 'config' &&
    (await checkEndpoint(run, endpointOf(bucket), bucket.settings.endpoint === undefined ? 'region' : 'endpoint')) &&
    (await run.step('credentials', () => credentialsOf(bucket, work))) &&
    (await run.step('bucket', () => lookIntoBucket(bucket, work)))
  ) {
    await run.step('incomplete uploads', () => lifecycleOf(bucket, work));
    if (level === 'write') {
      await checkWithCanary(store, run, { corsAdvice: CORS, createOnlyAdvice: CREATE_ONLY });
      await run.step('upload in parts', () => beginAndCancel(bucket, work));
    }
  }
  return run.report();
}

function optionsOf({ settings }: S3Bucket): string {
  const { bucket, region, endpoint, forcePathStyle, prefix, credentials, storageClass, conditionalWrites } = settings;
  const found =
    credentials === undefined
      ? 'found by the AWS chain'
      : typeof credentials === 'function'
        ? 'given by a function'
        : 'given';
  return [
    `Bucket ${bucket} in ${region}${endpoint === undefined ? '' : ` at ${endpoint}`}${forcePathStyle ? ', path style' : ''}`,
    prefix === '' ? 'no prefix' : `prefix ${prefix}`,
    `credentials are ${found}`,
    `the server verifies ${settings.requestChecksumCalculation === 'WHEN_SUPPORTED' ? 'CRC32C' : 'Content-MD5'}`,
    `create-only writes are ${conditionalWrites ? 'on' : 'off'}`,
    ...(storageClass === undefined ? [] : [`storage class ${storageClass}`]),
  ]
    .join('; ')
    .concat('.');
}

/** Where requests go; any answer from there will do. */
function endpointOf({ settings, clients }: S3Bucket): string {
  const { bucket, region, endpoint, forcePathStyle } = settings;
  if (endpoint !== undefined) return endpoint;
  const parameters = { Bucket: bucket, Region: region, ForcePathStyle: forcePathStyle };
  return clients.control.config.endpointProvider(parameters).url.href;
}

async function credentialsOf(bucket: S3Bucket, work: Work): Promise<string> {
  const { accessKeyId, sessionToken, expiration } = await bucket.ask(
    work,
    { permission: 's3:ListBucket' },
    ({ control }) => control.config.credentials(),
  );
  // no more of it: it is the secret when somebody has mixed the two up
  const end = accessKeyId.slice(-4);
  if (expiration) return `Access key …${end}, temporary, until ${expiration.toISOString()}.`;
  return `Access key …${end}${sessionToken === undefined ? '' : ', temporary; its end is not known'}.`;
}

async function lookIntoBucket(bucket: S3Bucket, work: Work): Promise<string> {
  const command = new ListObjectsV2Command({ Bucket: bucket.name, Prefix: bucket.settings.prefix, MaxKeys: 1 });
  const page = await bucket.ask(work, { permission: 's3:ListBucket' }, ({ control }, http) =>
    control.send(command, http),
  );
  return `Bucket ${bucket.name} is there and may be listed; it ${page.Contents?.length ? 'has objects' : 'has no object yet'}.`;
}

/** Never fails: sweepIncomplete does the same as such a rule, and reading the rules is a right of its own. */
async function lifecycleOf(bucket: S3Bucket, work: Work): Promise<string> {
  const advice = 'sweepIncomplete removes them; a lifecycle rule (AbortIncompleteMultipartUpload) would as well.';
  try {
    const command = new GetBucketLifecycleConfigurationCommand({ Bucket: bucket.name });
    const { Rules = [] } = await bucket.ask(work, { permission: 's3:GetLifecycleConfiguration' }, ({ control }, http) =>
      control.send(command, http),
    );
    const days = Rules.filter(({ Status }) => Status === 'Enabled')
      .map(({ AbortIncompleteMultipartUpload }) => AbortIncompleteMultipartUpload?.DaysAfterInitiation)
      .find((found) => found !== undefined);
    return days === undefined
      ? `No rule removes incomplete uploads. ${advice}`
      : `A rule removes them after ${days} days.`;
  } catch (error) {
    if (!StorageError.is(error) || error.code === 'ABORTED') throw error;
    if (error.httpStatus === 404) return `No rule removes incomplete uploads. ${advice}`;
    return `Whether a rule removes incomplete uploads cannot be read (${error.code}). ${advice}`;
  }
}

/** What the canary, being small, does not need. */
async function beginAndCancel(bucket: S3Bucket, work: Work): Promise<string> {
  const place = { Bucket: bucket.name, Key: bucket.pathOf('paradoxon-check-parts') };
  const { UploadId } = await bucket.ask(work, { permission: 's3:PutObject' }, ({ control }, http) =>
    control.send(new CreateMultipartUploadCommand(place), http),
  );
  // also when the check is aborted meanwhile
  await bucket.ask({ operation: 'check' }, { permission: 's3:AbortMultipartUpload' }, ({ control }, http) =>
    control.send(new AbortMultipartUploadCommand({ ...place, UploadId }), http),
  );
  return 'An upload was begun and cancelled.';
}
