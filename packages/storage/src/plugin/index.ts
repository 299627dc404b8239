export { abortedError, assertNotAborted, untilAborted } from './aborted.ts';
export { BodyReader } from './body-reader.ts';
export { type CanaryOptions, checkWithCanary } from './canary.ts';
export { CheckRun } from './check-run.ts';
export { checkEndpoint } from './endpoint-check.ts';
export { exactBody, type ExactBodyOptions } from './exact-body.ts';
export { invalidOptions, type OptionIssue } from './invalid-options.ts';
export type { Part } from './part-reader.ts';
export { PartUploader, type PartUploaderOptions, type UploadProtocol } from './part-upload.ts';
