import { Failure } from '../src/base/failure.ts';

/**
 * Says what a user can mend on stderr, with the name of the command, and sets the exit code of this process. Throws
 * everything else: that is a bug.
 */
export function endWithFailure(command: string, error: unknown): void {
  if (!(error instanceof Failure)) throw error;
  const { message, remedy } = error;
  process.stderr.write(`${command}: ${message}${remedy === '' ? '' : `\n${remedy}`}\n`);
  process.exitCode = error.exitCode;
}
