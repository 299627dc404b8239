import type { DynamicModule } from '@nestjs/common';
import type { z } from 'zod';

/** One cloud as the environment switches it on. */
export interface CloudStore<Shape extends z.ZodRawShape> {
  readonly id: string;
  /** What operators also call it. */
  readonly aliases: readonly string[];
  /** Its variables. */
  readonly environment: Shape;
  /** Any of these means that the store is wanted. Others may be there for other programs' sake. */
  readonly switches: readonly (keyof Shape & string)[];
  /** Variables that are missing beside those that are there. */
  missing(env: z.output<z.ZodObject<Shape>>): readonly string[];
  /** Loads the plugin, and its SDK, only now. */
  register(env: z.output<z.ZodObject<Shape>>): Promise<DynamicModule>;
}

/** Lets each store's functions see the types of its own variables. */
export const cloudStore = <Shape extends z.ZodRawShape>(store: CloudStore<Shape>): CloudStore<Shape> => store;
