import { exitCode, Failure } from '../../../base/failure.ts';
import type { EventFilter } from '../../../trace/open.ts';
import type { Given } from './given.ts';
import { hostSettings } from './host-settings.ts';

export interface QueryCommand {
  readonly input: string;
  readonly sql: string;
  readonly form: 'table' | 'json' | 'csv';
  readonly filter: EventFilter;
}

/** Throws Failure for impossible combinations. */
export function readQuery(given: Given): QueryCommand {
  const [input = '', sql = ''] = given.operands;
  if (given.flag('json') && given.flag('csv'))
    throw new Failure(exitCode.usage, '--json conflicts with --csv', 'use one of them');
  const events = given.get(hostSettings.exportEvents);
  return {
    input,
    sql,
    form: given.flag('json') ? 'json' : given.flag('csv') ? 'csv' : 'table',
    filter: events === undefined ? {} : { events },
  };
}
