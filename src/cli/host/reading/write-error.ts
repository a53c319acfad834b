import { codeOf } from '../../../base/error-code.ts';
import { type ExitCode, exitCode } from '../../../base/failure.ts';

/**
 * The exit code after a failed write to stdout. EPIPE is not an error: the reader, such as head, may have read enough.
 * Other write errors are reported by the error handler of stdout. Rethrows an error that is not a write error.
 */
export function codeOfWriteError(error: unknown): ExitCode {
  const isWriteError = error instanceof Error && 'syscall' in error && error.syscall === 'write';
  if (!isWriteError) throw error;
  return codeOf(error) === 'EPIPE' ? exitCode.done : exitCode.failed;
}
