import type { Given } from '../given.ts';
import { hostSettings } from '../host-settings.ts';
import { readSession, type SessionCommand } from './session-options.ts';
import { readSelection, type Selection } from './selection.ts';

/** The command line of `trace-host summary`. */
export interface SummaryCommand {
  readonly session: SessionCommand;
  /** Which events to count. */
  readonly selection: Selection;
  /** Rows of each table. */
  readonly top: number;
  readonly json: boolean;
}

/** Throws Failure (usage). */
export function readSummary(given: Given): SummaryCommand {
  return {
    session: readSession(given),
    selection: readSelection(given),
    top: given.read(hostSettings.top),
    json: given.flag('json'),
  };
}
