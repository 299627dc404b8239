import { z } from 'zod';

/** Items separated by commas; spaces around them and empty ones do not count. */
export const list = z.string().transform((text) =>
  text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== ''),
);
