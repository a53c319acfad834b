import type { Given } from '../given.ts';
import { hostSettings } from '../host-settings.ts';
import { readSelection, type Selection } from './selection.ts';

/** The command line of `trace-host summary`. */
export interface SummaryCommand {
  readonly path: string;
  /** Which events to count. */
  readonly selection: Selection;
  /** Rows of each table. */
  readonly top: number;
  readonly json: boolean;
}

/** Throws Failure (usage). */
export function readSummary(given: Given): SummaryCommand {
  return {
    path: given.operands[0] ?? '',
    selection: readSelection(given),
    top: given.read(hostSettings.top),
    json: given.flag('json'),
  };
}
