import { exitCode, Failure } from '../../../../base/failure.ts';
import { quoted } from '../../../../base/quoted.ts';
import type { Given } from '../given.ts';
import { readSelection, type Selection } from './selection.ts';

export interface QueryCommand {
  readonly input: string;
  readonly sql: string;
  readonly form: 'table' | 'json' | 'csv';
  readonly selection: Selection;
}

/** Throws Failure for impossible combinations. */
export function readQuery(given: Given): QueryCommand {
  const [input = '', sql = ''] = given.operands;
  if (given.flag('json') && given.flag('csv'))
    throw new Failure(exitCode.usage, '--json conflicts with --csv', 'use one of them');
  if (/^\s*(?:select|with|from|show|describe|summarize)\s/i.test(input))
    throw new Failure(exitCode.usage, `${quoted(input)} is not a file`, 'give the file before the query');
  if (sql.trim() === '')
    throw new Failure(exitCode.usage, 'the query is empty', "use e.g. 'select * from sched_switch limit 10'");
  return {
    input,
    sql,
    form: given.flag('json') ? 'json' : given.flag('csv') ? 'csv' : 'table',
    selection: readSelection(given),
  };
}
