import { exitCode, Failure } from '../../base/failure.ts';
import { quoted } from '../../base/quoted.ts';

/** The Failure for an invalid filter. `at`: offset of the error in `filter`. */
export function filterFailure(filter: string, at: number, problem: string, remedy: string): Failure {
  return new Failure(exitCode.usage, `filter ${quoted(filter)}: ${problem} at character ${at + 1}`, remedy);
}
