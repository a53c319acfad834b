import { exitCode, Failure } from '../../base/failure.ts';
import { quoted } from '../../base/quoted.ts';

/** A filter that cannot be used. `at`: offset in `filter` of the character that is wrong. */
export function filterFailure(filter: string, at: number, problem: string, remedy: string): Failure {
  return new Failure(exitCode.usage, `filter ${quoted(filter)}: ${problem} at character ${at + 1}`, remedy);
}
