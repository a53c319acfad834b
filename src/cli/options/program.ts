import { codeOf } from '../../base/error-code.ts';
import { type ExitCode, exitCode, Failure } from '../../base/failure.ts';
import { printable } from '../../base/quoted.ts';

/**
 * Runs a program and sets the process's exit code. Prints a Failure as one line on stderr; rethrows any other error.
 */
export async function runProgram(name: string, program: () => Promise<ExitCode>): Promise<void> {
  let unwritten = false;
  process.stdout.once('error', (cause) => {
    process.stdout.on('error', () => undefined);
    // the reader may have seen enough, like head
    if (codeOf(cause) === 'EPIPE') return;
    unwritten = true;
    process.exitCode = exitCode.failed;
    process.stderr.write(`${name}: cannot write to stdout: ${codeOf(cause)}\n`);
  });
  // there is no other place to report this
  process.stderr.on('error', () => undefined);
  try {
    const code = await program();
    process.exitCode = unwritten ? exitCode.failed : code;
  } catch (cause) {
    if (!(cause instanceof Failure)) throw cause;
    const remedy = cause.remedy === '' ? '' : ` — ${cause.remedy}`;
    // a message may quote a path or an argument, which the terminal must not interpret
    process.stderr.write(`${name}: ${printable(`${cause.message}${remedy}`)}\n`);
    process.exitCode = cause.exitCode;
  }
}
