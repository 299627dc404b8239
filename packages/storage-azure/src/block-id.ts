import { randomBytes } from 'node:crypto';

/** As much as Azure lets one blob have. */
export const MAX_BLOCKS = 50_000;

const BLOCK_NAME = /^paradoxon-(\d{13})-[0-9a-f]{16}-\d{5}$/;

export interface BlockNames {
  readonly nameOf: (number: number) => string;
  readonly isOurs: (blockName: string) => boolean;
}

/**
 * Names for the blocks of one upload. All of them are of one length, as Azure demands of the blocks of a blob; no two uploads
 * ever share one, so that a commit never takes a block of another upload; and they tell when the upload began.
 */
export function blockNames(begun: Date): BlockNames {
  const upload = `paradoxon-${String(begun.getTime()).padStart(13, '0')}-${randomBytes(8).toString('hex')}`;
  return {
    nameOf: (number) => Buffer.from(`${upload}-${String(number).padStart(5, '0')}`).toString('base64'),
    isOurs: (blockName) => Buffer.from(blockName, 'base64').toString('latin1').startsWith(`${upload}-`),
  };
}

/** @returns `undefined` for a block that is none of ours */
export function uploadBegun(blockName: string): Date | undefined {
  const ms = BLOCK_NAME.exec(Buffer.from(blockName, 'base64').toString('latin1'))?.[1];
  return ms === undefined ? undefined : new Date(Number(ms));
}
