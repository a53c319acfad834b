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
 * An error that a user can fix: one line that says what is wrong, one that says what to do, and the exit code of the
 * program. Anything else that is thrown is a bug.
 */
export class Failure extends Error {
  readonly exitCode: ExitCode;
  /** The remedy; empty when the message needs none. */
  readonly remedy: string;

  constructor(exitCode: ExitCode, message: string, remedy = '', options?: ErrorOptions) {
    super(message, options);
    this.name = 'Failure';
    this.exitCode = exitCode;
    this.remedy = remedy;
  }
}
