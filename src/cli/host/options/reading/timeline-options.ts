import { exitCode, Failure } from '../../../../base/failure.ts';
import { parsePath } from '../../../options/names.ts';
import type { Setting } from '../../../options/setting.ts';
import type { Given } from '../given.ts';

/** The command line of `trace-host timeline`. */
export interface TimelineCommand {
  /** The host's trace, or those of host and guests. */
  readonly inputs: readonly string[];
  /** The directory to write. */
  readonly out: string;
  readonly json: boolean;
}

export const timelineSettings = {
  timelineOutput: {
    short: 'o',
    long: 'output',
    placeholder: 'DIR',
    description: 'directory to write; must be new or empty',
    values: 'directory',
    parse: parsePath,
  },
} as const satisfies Record<string, Setting<unknown>>;

/** Throws Failure (usage). */
export function readTimeline(given: Given): TimelineCommand {
  const out = given.get(timelineSettings.timelineOutput);
  if (out === undefined)
    throw new Failure(exitCode.usage, 'no output given', 'specify a new directory with -o DIR');
  return { inputs: given.operands, out, json: given.flag('json') };
}
