/** Exit codes of both programs. docs/exit-codes.md says what each one tells a script. */
export const exitCode = {
  done: 0,
  failed: 1,
  usage: 2,
  missing: 3,
  notPermitted: 4,
  lost: 5,
} as const;

export type ExitCode = (typeof exitCode)[keyof typeof exitCode];

/**
 * What a user can mend: one line that names the thing, one that names the remedy, and the exit code of a
 * program that ends with it. Anything else that is thrown is a bug of ours.
 */
export class Failure extends Error {
  readonly exitCode: ExitCode;
  /** What to do about it; empty when the message says all. */
  readonly remedy: string;

  constructor(exitCode: ExitCode, message: string, remedy = '', options?: ErrorOptions) {
    super(message, options);
    this.name = 'Failure';
    this.exitCode = exitCode;
    this.remedy = remedy;
  }
}
