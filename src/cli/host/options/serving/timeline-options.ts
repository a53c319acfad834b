import { exitCode, Failure } from '../../../../base/failure.ts';
import type { Given } from '../given.ts';
import { timelineSettings } from './timeline-settings.ts';

/** The command line of `trace-host timeline`. */
export interface TimelineCommand {
  /** The host's trace, or those of host and guests. */
  readonly inputs: readonly string[];
  /** The directory to write. */
  readonly out: string;
  readonly json: boolean;
}

/** Throws Failure (usage). */
export function readTimeline(given: Given): TimelineCommand {
  const out = given.get(timelineSettings.timelineOutput);
  if (out === undefined)
    throw new Failure(exitCode.usage, 'no output given', 'specify a new directory with -o DIR');
  return { inputs: given.operands, out, json: given.flag('json') };
}
