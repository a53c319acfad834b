import { exitCode, Failure } from '../../../../base/failure.ts';
import { quoted } from '../../../../base/quoted.ts';
import type { Given } from '../given.ts';
import { readSession, type SessionCommand } from './session-options.ts';
import { readSelection, type Selection } from './selection.ts';

export interface QueryCommand {
  readonly session: SessionCommand;
  readonly sql: string;
  readonly form: 'table' | 'json' | 'csv';
  readonly selection: Selection;
}

/** Throws Failure for impossible combinations. */
export function readQuery(given: Given): QueryCommand {
  const session = readSession(given);
  const inputs = session.inputs.slice(0, -1);
  const sql = session.inputs.at(-1) ?? '';
  if (given.flag('json') && given.flag('csv'))
    throw new Failure(exitCode.usage, '--json conflicts with --csv', 'use one of them');
  const misplaced = inputs.find(looksLikeSql);
  if (misplaced !== undefined)
    throw new Failure(
      exitCode.usage,
      `${quoted(misplaced)} is not a file`,
      'give the files before the query, which is one argument',
    );
  if (inputs.length === 0 && looksLikeSql(sql))
    throw new Failure(exitCode.usage, 'no file given', 'give it before the query');
  if (inputs.length === 0 || looksLikePath(sql))
    throw new Failure(exitCode.usage, 'no query given', `add e.g. ${example} after the files`);
  if (sql.trim() === '') throw new Failure(exitCode.usage, 'the query is empty', `use e.g. ${example}`);
  return {
    session: { ...session, inputs },
    sql,
    form: given.flag('json') ? 'json' : given.flag('csv') ? 'csv' : 'table',
    selection: readSelection(given),
  };
}

const example = "'select * from sched_switch limit 10'";

function looksLikeSql(text: string): boolean {
  return /^\s*(?:select|with|from|show|describe|summarize)(?:\s|$)/i.test(text);
}

function looksLikePath(text: string): boolean {
  return /^[^\s;]*[./][^\s;]*$/.test(text);
}
