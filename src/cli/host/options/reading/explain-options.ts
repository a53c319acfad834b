import type { Given } from '../given.ts';
import { hostSettings } from '../host-settings.ts';
import { explainSettings } from './explain-settings.ts';
import { selectionSettings } from './selection.ts';
import type { TimePoint } from './time-point.ts';

/** The command line of `trace-host explain`. */
export interface ExplainCommand {
  readonly inputs: readonly string[];
  readonly guest: string | undefined;
  readonly task: string | number | undefined;
  readonly worst: number;
  readonly overNs: number;
  /** The file to write for the Perfetto UI. */
  readonly perfetto: string | undefined;
  readonly from: TimePoint | undefined;
  readonly to: TimePoint | undefined;
  readonly json: boolean;
}

/** Throws Failure (usage). */
export function readExplain(given: Given): ExplainCommand {
  return {
    inputs: given.operands,
    guest: given.get(explainSettings.explainGuest),
    task: given.get(explainSettings.explainTask),
    worst: given.read(hostSettings.worst),
    overNs: given.get(explainSettings.over) ?? 0,
    perfetto: given.get(explainSettings.perfetto),
    from: given.get(selectionSettings.from),
    to: given.get(selectionSettings.to),
    json: given.flag('json'),
  };
}
