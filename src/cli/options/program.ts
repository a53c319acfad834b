import { codeOf } from '../../base/error-code.ts';
import { type ExitCode, exitCode, Failure } from '../../base/failure.ts';

/**
 * Runs a program to its end: its exit code becomes the process's, and what a user can mend becomes a line on stderr.
 * Anything else that it throws is thrown on.
 */
export async function runProgram(name: string, program: () => Promise<ExitCode>): Promise<void> {
  let unwritten = false;
  process.stdout.once('error', (cause) => {
    process.stdout.on('error', () => undefined);
    // who reads may have seen enough, as head has
    if (codeOf(cause) === 'EPIPE') return;
    unwritten = true;
    process.exitCode = exitCode.failed;
    process.stderr.write(`${name}: stdout cannot be written (${codeOf(cause)})\n`);
  });
  // nobody is there to be told
  process.stderr.on('error', () => undefined);
  try {
    const code = await program();
    process.exitCode = unwritten ? exitCode.failed : code;
  } catch (cause) {
    if (!(cause instanceof Failure)) throw cause;
    const remedy = cause.remedy === '' ? '' : ` — ${cause.remedy}`;
    process.stderr.write(`${name}: ${cause.message}${remedy}\n`);
    process.exitCode = cause.exitCode;
  }
}
