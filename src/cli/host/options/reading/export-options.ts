import { exitCode, Failure } from '../../../../base/failure.ts';
import { quoted } from '../../../../base/quoted.ts';
import type { Given } from '../given.ts';
import { type ExportFormat, hostSettings } from '../host-settings.ts';
import { readSession, type SessionCommand } from './session-options.ts';
import { type Selection, selectionUpTo } from './selection.ts';

export interface ExportCommand {
  readonly session: SessionCommand;
  /** Path of a file or directory; `-` for stdout. */
  readonly out: string;
  readonly to: ExportFormat;
  /** Whether to compress; if undefined, the name of `out` decides. */
  readonly gzip: boolean | undefined;
  readonly genericEvents: boolean;
  readonly selection: Selection;
  readonly json: boolean;
}

/** Formats by the output's file name extension, without `.gz`. */
const formatOf: Readonly<Record<string, ExportFormat>> = {
  pftrace: 'perfetto',
  'perfetto-trace': 'perfetto',
  ndjson: 'ndjson',
  jsonl: 'ndjson',
  csv: 'csv',
};

/** Throws Failure for impossible combinations. */
export function readExport(given: Given): ExportCommand {
  const { format, time } = given.get(hostSettings.exportTo) ?? {};
  const out = given.get(hostSettings.exportOutput);
  const outputs = given.sequence.filter(({ name }) => name === 'exportOutput');
  if (new Set(outputs.map(({ text }) => text)).size > 1)
    throw new Failure(
      exitCode.usage,
      `two outputs given: ${outputs.map(({ text }) => quoted(text)).join(' and ')}`,
      'run it once for each',
    );
  if (out === undefined) throw new Failure(exitCode.usage, 'no output given', outputRemedy(given.operands));
  const to = format ?? formatByName(out);
  const session = readSession(given);
  if (to !== 'perfetto' && given.flag('genericEvents'))
    throw new Failure(exitCode.usage, '--generic-events only works with --to perfetto', 'omit it');
  if (to === 'parquet' && out === '-')
    throw new Failure(exitCode.usage, 'Parquet is a directory of files', 'specify a directory with -o');
  if (given.flag('gzip') && isDirectory(to, out))
    throw new Failure(exitCode.usage, '--gzip does not work for a directory of files', 'omit it');
  return {
    session,
    out,
    to,
    gzip: given.flag('gzip') ? true : undefined,
    genericEvents: given.flag('genericEvents'),
    selection: selectionUpTo(given, time),
    json: given.flag('json'),
  };
}

/** The last of several files may have been meant as the output. */
function outputRemedy(inputs: readonly string[]): string {
  const last = inputs.length > 1 ? inputs.at(-1) : undefined;
  return last === undefined
    ? 'specify one with -o; -o - is stdout'
    : `specify one with -o, such as -o ${quoted(last)}`;
}

/** Whether the output is a directory with a file for each event type. */
export function isDirectory(to: ExportFormat, out: string): boolean {
  if (to === 'parquet') return true;
  return to === 'csv' && out !== '-' && !/\.csv(?:\.gz)?$/.test(out);
}

function formatByName(out: string): ExportFormat {
  const ending = /\.([a-z-]+)(?:\.gz)?$/.exec(out)?.[1] ?? '';
  const format = Object.hasOwn(formatOf, ending) ? formatOf[ending] : undefined;
  if (format !== undefined) return format;
  const endings = Object.keys(formatOf).map((name) => `.${name}`);
  throw new Failure(
    exitCode.usage,
    `${out === '-' ? 'stdout' : quoted(out)} does not name a format`,
    `add --to FORMAT, or use a name that ends in ${endings.join(', ')}`,
  );
}
