import { type ExitCode, Failure } from '../failure.ts';

/**
 * Runs a program to its end: its exit code becomes the process's, and what a user can mend becomes a line on stderr.
 * Anything else that it throws is thrown on.
 */
export async function runProgram(name: string, program: () => Promise<ExitCode>): Promise<void> {
  try {
    process.exitCode = await program();
  } catch (cause) {
    if (!(cause instanceof Failure)) throw cause;
    const remedy = cause.remedy === '' ? '' : ` — ${cause.remedy}`;
    process.stderr.write(`${name}: ${cause.message}${remedy}\n`);
    process.exitCode = cause.exitCode;
  }
}
