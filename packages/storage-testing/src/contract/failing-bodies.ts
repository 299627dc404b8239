import type { StorageCapabilities, StorageErrorCode } from '@paradoxon/storage';
import { noiseBytes } from '../noise.ts';
import { type BodyStep, inChunks, ScriptedBody } from './scripted-body.ts';

/** A way in which a put goes wrong. */
export interface Failure {
  /** Completes "a body that …". */
  readonly title: string;
  readonly when?: (claims: StorageCapabilities) => boolean;
  /** What put rejects with: the body's own error, … */
  readonly error?: Error;
  /** … or a code. */
  readonly code?: StorageErrorCode;
  /** The abort comes so late that put may have been quicker. */
  readonly mayResolve?: true;
  /** Several parts of a multipart upload: too slow to be run in every rule. */
  readonly large?: true;
  /** The store stops reading before the body ends. */
  readonly stopsEarly?: true;
  readonly make: () => { readonly body: ScriptedBody; readonly bytes: Buffer; readonly signal: AbortSignal };
}

const MiB = 1024 ** 2;
const SIZE = 200_000;
const CHUNK = 16_384;
const broke = new Error('the source broke');

type Details = Omit<Failure, 'title' | 'make'>;

/**
 * @param script makes the steps of the body from the bytes that it should have given
 * @param size bytes in all
 * @param announced whether the body says how many bytes it has
 */
function failure(
  title: string,
  details: Details,
  script: (chunks: Uint8Array[], controller: AbortController) => readonly BodyStep[],
  { size = SIZE, chunkBytes = CHUNK, announced = true } = {},
): Failure {
  return {
    title,
    ...details,
    ...(announced ? {} : { when: ({ unknownSize }) => unknownSize }),
    make: () => {
      const controller = new AbortController();
      const bytes = noiseBytes(size, 11);
      const steps = script([...inChunks(bytes, chunkBytes)], controller);
      const body = new ScriptedBody(steps, announced ? { size } : {});
      return { body, bytes, signal: controller.signal };
    },
  };
}

const firstHalf = (chunks: Uint8Array[]): Uint8Array[] => chunks.slice(0, Math.floor(chunks.length / 2));
const secondHalf = (chunks: Uint8Array[]): Uint8Array[] => chunks.slice(Math.floor(chunks.length / 2));
const aborted = { code: 'ABORTED' } as const;

export const failures: readonly Failure[] = [
  failure('fails half-way', { error: broke }, (chunks) => [...firstHalf(chunks), broke]),
  failure('fails before its first byte', { error: broke }, () => [broke]),
  failure('fails after its last byte', { error: broke }, (chunks) => [...chunks, broke]),
  failure('fails half-way, its size unknown', { error: broke }, (chunks) => [...firstHalf(chunks), broke], {
    announced: false,
  }),
  failure('ends short of its size', { code: 'SOURCE_TRUNCATED' }, firstHalf),
  failure('gives nothing of what it announced', { code: 'SOURCE_TRUNCATED' }, () => []),
  failure('ends one byte short', { code: 'SOURCE_TRUNCATED' }, (chunks) => [
    ...chunks.slice(0, -1),
    ...chunks.slice(-1).map((chunk) => chunk.subarray(1)),
  ]),
  failure('is longer than its size', { code: 'TOO_LARGE', stopsEarly: true }, (chunks) => [...chunks, ...chunks]),
  failure('is one byte longer than its size', { code: 'TOO_LARGE' }, (chunks) => [...chunks, Buffer.from('!')]),
  failure('is aborted before it begins', aborted, (chunks, controller) => {
    controller.abort();
    return chunks;
  }),
  failure('is aborted in the middle and goes on', { ...aborted, stopsEarly: true }, (chunks, controller) => [
    ...firstHalf(chunks),
    () => controller.abort(),
    ...secondHalf(chunks),
  ]),
  failure('is aborted in the middle for a reason of the caller', aborted, (chunks, controller) => [
    ...firstHalf(chunks),
    () => controller.abort(new Error('the other target was quicker')),
    ...secondHalf(chunks),
  ]),
  failure('stalls in the middle and is aborted', { ...aborted, stopsEarly: true }, (chunks, controller) => [
    ...firstHalf(chunks),
    () => void setTimeout(() => controller.abort(), 10),
    'stall',
  ]),
  failure('stalls before its first byte and is aborted', { ...aborted, stopsEarly: true }, (_chunks, controller) => [
    () => void setTimeout(() => controller.abort(), 10),
    'stall',
  ]),
  failure('stalls before its end and is aborted', { ...aborted, stopsEarly: true }, (chunks, controller) => [
    ...chunks,
    () => void setTimeout(() => controller.abort(), 10),
    'stall',
  ]),
  failure('is aborted just before its last byte', aborted, (chunks, controller) => [
    ...chunks.slice(0, -1),
    () => controller.abort(),
    ...chunks.slice(-1),
  ]),
  failure('is aborted after its last byte', { ...aborted, mayResolve: true }, (chunks, controller) => [
    ...chunks,
    () => controller.abort(),
  ]),
  failure('is aborted a moment after its end', { ...aborted, mayResolve: true }, (chunks, controller) => [
    ...chunks,
    () => void setTimeout(() => controller.abort(), 1),
  ]),
  failure('fails after several parts', { error: broke, large: true }, (chunks) => [...firstHalf(chunks), broke], {
    size: 16 * MiB,
    chunkBytes: MiB,
  }),
  failure(
    'is aborted after several parts',
    { ...aborted, large: true },
    (chunks, controller) => [...firstHalf(chunks), () => controller.abort(), ...secondHalf(chunks)],
    { size: 16 * MiB, chunkBytes: MiB },
  ),
];
