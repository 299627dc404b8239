/** What can be wrong with a request about a film. Storage's own codes stand in @paradoxon/storage; docs/errors.md has both. */
export const EXPORT_ERRORS = {
  FILM_NOT_FOUND: { meaning: 'No film has this id.' },
  SCENE_NOT_FOUND: { meaning: 'The film has no scene with this number.' },
  INVALID_FILM: { meaning: 'The film as posted breaks a rule; the message names the field.' },
  INVALID_EXPORT: { meaning: 'Strategy and storages do not fit together.' },
  NOT_ARCHIVED: { meaning: 'No verified copy exists yet, and the strategy forbids the source URL.' },
  PLACEHOLDER: { meaning: 'The scene is a demo placeholder: there is no video.' },
  NOTHING_PLAYABLE: { meaning: 'The direct URL is dead and no verified copy exists.' },
} as const satisfies Record<string, { meaning: string }>;

export type ExportErrorCode = keyof typeof EXPORT_ERRORS;
const BRAND = Symbol.for('@paradoxon/export/ExportError');

export class ExportError extends Error {
  override readonly name = 'ExportError';
  readonly [BRAND] = true;
  readonly code: ExportErrorCode;

  constructor(code: ExportErrorCode, message: string) {
    super(message);
    this.code = code;
  }

  static is(error: unknown): error is ExportError {
    return typeof error === 'object' && error !== null && BRAND in error;
  }
}
