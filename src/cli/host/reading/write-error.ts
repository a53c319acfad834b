import { codeOf } from '../../../base/error-code.ts';
import { type ExitCode, exitCode } from '../../../base/failure.ts';

/**
 * The exit code after writing to stdout failed: the reader may have seen enough, like head; other errors of stdout are
 * reported where it is watched. Throws the error if it is another one.
 */
export function codeOfWriteError(error: unknown): ExitCode {
  const isWriteError = error instanceof Error && 'syscall' in error && error.syscall === 'write';
  if (!isWriteError) throw error;
  return codeOf(error) === 'EPIPE' ? exitCode.done : exitCode.failed;
}
