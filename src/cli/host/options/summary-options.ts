import type { EventFilter } from '../../../trace/open.ts';
import type { Given } from './given.ts';
import { hostSettings } from './host-settings.ts';

/** What `trace-host summary` was asked for. */
export interface SummaryCommand {
  readonly path: string;
  /** Which events to count. */
  readonly filter: EventFilter;
  /** Rows of each table. */
  readonly top: number;
  readonly json: boolean;
}

/** Throws Failure (usage). */
export function readSummary(given: Given): SummaryCommand {
  return {
    path: given.operands[0] ?? '',
    filter: {},
    top: given.read(hostSettings.top),
    json: given.flag('json'),
  };
}
