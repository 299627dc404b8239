/** Every bad setting at once, one a line: the variable, what it was, what is allowed. */
export class ConfigurationError extends Error {
  override readonly name = 'ConfigurationError';
  readonly code = 'INVALID_CONFIGURATION';
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(`The configuration cannot be used:\n${problems.map((problem) => `  ${problem}`).join('\n')}`);
    this.problems = problems;
  }
}
