import type { ConvertReport } from '../../trace/convert/convert.ts';
import type { Symbols } from '../../trace/metadata/symbols.ts';
import type { TopLevelLine } from '../../trace/metadata/unseen.ts';
import { printable } from '../../base/quoted.ts';
import { counted, humanBytes } from './human.ts';

/** One-line summary of a written file: `2 CPUs, 700 events in 20 pages, 80.0 KiB`. */
export function summaryOf({ cpus, events, pages, fileBytes }: ConvertReport): string {
  return `${counted(cpus.length, 'CPU')}, ${counted(events, 'event')} in ${counted(pages, 'page')}, ${humanBytes(fileBytes)}`;
}

/** Pages that were recorded but are not in the file, one line per reason. */
export function leftOutOf({ leftOut }: ConvertReport): string[] {
  return [...leftOut].map(([reason, pages]) => `${pages} bad pages skipped: ${reason}`);
}

/** Other remarks for readers of the file, one line each; they do not mean that data is missing. */
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
  if (symbols === 'missing') return 'functions have no names: the metadata contains no symbols (kallsyms)';
  const what = 'functions have no names: the guest hides their addresses';
  const remedy =
    'before the next recording, run in the guest: sysctl kernel.kptr_restrict=1, and give its agent CAP_SYSLOG';
  return `${what} — ${remedy}`;
}

export function unseenText(unseen: readonly TopLevelLine[]): string {
  return `${unseen.join(' and ')}: the guest's kernel wrote them to another buffer, usually the top level — record it with -B top`;
}

/** Limits a list to what a user will read. */
function firstFew(lines: readonly string[], what: string): string[] {
  const most = 10;
  return lines.length <= most
    ? [...lines]
    : [...lines.slice(0, most), `and ${lines.length - most} more ${what}`];
}

export function stepsBackText({
  cpu,
  stepsBack,
}: {
  readonly cpu: number;
  readonly stepsBack: number;
}): string {
  return (
    `CPU ${cpu}: time goes backwards at ${counted(stepsBack, 'page')}: ` +
    'the file mixes pages of several CPUs, as trace-agent -o writes them without --framed, or the clock was set back'
  );
}

/** Limit for formats in JSON: a guest may send any number. */
const oddFormatsMost = 1000;

/** Event ids that two events used, one line each. */
export function reusedIdsOf({ reusedIds }: ConvertReport): string[] {
  return reusedIds.map(
    ({ id, before, after }) =>
      `events with id ${id} have no format: the guest's kernel used the id for ${printable(before)} and later for ${printable(after)}`,
  );
}

/** The JSON fields (docs/json.md): maps become objects, 64-bit integers become decimal strings. */
export function countsOf(report: ConvertReport): object {
  return {
    file: report.out,
    events: report.events,
    pages: report.pages,
    fileBytes: report.fileBytes,
    rawBytes: report.rawBytes,
    lostEvents: String(report.lost),
    // the kernel omits the count if the page has no room for it
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
