import { Failure } from '../src/base/failure.ts';

/**
 * Prints a Failure, which a user can fix, to stderr with the name of the command, and sets the exit code of this process.
 * Rethrows everything else, which is a bug.
 */
export function endWithFailure(command: string, error: unknown): void {
  if (!(error instanceof Failure)) throw error;
  const { message, remedy } = error;
  process.stderr.write(`${command}: ${message}${remedy === '' ? '' : `\n${remedy}`}\n`);
  process.exitCode = error.exitCode;
}
