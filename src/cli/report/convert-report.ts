import type { ConvertReport } from '../../trace/convert/convert.ts';
import type { Symbols } from '../../trace/metadata/symbols.ts';
import type { TopLevelLine } from '../../trace/metadata/unseen.ts';
import { printable } from '../../base/quoted.ts';
import { counted, humanBytes } from './human.ts';

/** What is in a file that was made, for people: `2 CPUs, 700 events in 20 pages, 80.0 KiB`. */
export function summaryOf({ cpus, events, pages, fileBytes }: ConvertReport): string {
  return `${counted(cpus.length, 'CPU')}, ${counted(events, 'event')} in ${counted(pages, 'page')}, ${humanBytes(fileBytes)}`;
}

/** What is not in it though it was recorded, a line for each reason. */
export function leftOutOf({ leftOut }: ConvertReport): string[] {
  return [...leftOut].map(([reason, pages]) => `${pages} bad pages left out: ${reason}`);
}

/** What a reader of the file has to know though nothing is missing in it, a line for each. */
export function remarksOn({ cpus, undescribed, oddFormats, eventsByName, symbols }: ConvertReport): string[] {
  const unknown = undescribed.map((id) => {
    const name = `unknown:event_${id}`;
    const records = counted(eventsByName.get(name) ?? 0, 'record');
    return `event ${id} has no format in the metadata; its ${records} are in the file as ${name}`;
  });
  return [
    ...firstFew(unknown, 'events'),
    ...firstFew(
      oddFormats.map(({ message }) => `${message}; its records are in the file`),
      'formats',
    ),
    ...cpus.filter(({ stepsBack }) => stepsBack > 0).map(stepsBackText),
    ...(symbols === 'hidden' ? [noSymbolsText(symbols)] : []),
  ].map((line) => printable(line));
}

export function noSymbolsText(symbols: Exclude<Symbols, 'shown'>): string {
  if (symbols === 'missing') return 'functions have no names, as the metadata has no symbols (kallsyms)';
  const what = 'functions have no names, as the guest hides their addresses';
  const remedy =
    'before the next recording, in the guest: sysctl kernel.kptr_restrict=1, and CAP_SYSLOG for its agent';
  return `${what} — ${remedy}`;
}

export function unseenText(unseen: readonly TopLevelLine[]): string {
  return `${unseen.join(' and ')}: the guest's kernel gave them to another buffer, as a rule its top level — record that: -B top`;
}

/** As many as a person reads. */
function firstFew(lines: readonly string[], what: string): string[] {
  const most = 10;
  return lines.length <= most
    ? [...lines]
    : [...lines.slice(0, most), `and ${lines.length - most} ${what} more`];
}

export function stepsBackText({
  cpu,
  stepsBack,
}: {
  readonly cpu: number;
  readonly stepsBack: number;
}): string {
  return (
    `CPU ${cpu}: time steps back at ${counted(stepsBack, 'page')}: ` +
    'these are pages of several CPUs in one file, as trace-agent -o writes them without --framed, or the clock was set back'
  );
}

/** Of formats in JSON: a guest may send any number. */
const oddFormatsMost = 1000;

/** Events that nobody can tell apart, a line each. */
export function reusedIdsOf({ reusedIds }: ConvertReport): string[] {
  return reusedIds.map(
    ({ id, before, after }) =>
      `events of id ${id} are not described: the guest's kernel gave it to ${printable(before)} and later to ${printable(after)}`,
  );
}

/** For programs (docs/json.md): maps as objects, big numbers as decimal strings. */
export function countsOf(report: ConvertReport): object {
  return {
    file: report.out,
    events: report.events,
    pages: report.pages,
    fileBytes: report.fileBytes,
    rawBytes: report.rawBytes,
    lostEvents: String(report.lost),
    // The kernel leaves out the count where the page has no room for it.
    uncountedLosses: report.cpus.reduce((sum, cpu) => sum + cpu.pagesAfterUncountedLoss, 0),
    leftOut: Object.fromEntries(report.leftOut),
    reusedIds: report.reusedIds,
    symbols: report.symbols,
    unseen: report.unseen ?? null,
    eventsByName: Object.fromEntries(report.eventsByName),
    undescribedEvents: report.undescribed,
    oddFormats: report.oddFormats.slice(0, oddFormatsMost).map(({ message }) => message),
    stepsBack: Object.fromEntries(
      report.cpus.filter((each) => each.stepsBack > 0).map((each) => [each.cpu, each.stepsBack]),
    ),
    convertSeconds: report.seconds,
  };
}
