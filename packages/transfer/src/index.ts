export type { TransferProgress } from './progress.ts';
export { fromObject, fromUrl, type OpenedSource, type OpenSourceOptions, type TransferSource } from './source.ts';
export type { TransferTarget } from './target-writer.ts';
export { transfer, type TransferOptions, type TransferResult } from './transfer.ts';
export type { TransferContent, Verdict } from './verdict.ts';
export type { VideoType } from './video-type.ts';
